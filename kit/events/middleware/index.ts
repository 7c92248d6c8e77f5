import type { ConsumerMiddleware } from "../chain.ts";
import { dedupe } from "./dedupe.ts";
import { measure } from "./measure.ts";
import { passOver } from "./pass-over.ts";
import { prepare } from "./prepare.ts";
import { retry } from "./retry.ts";
import { timeout } from "./timeout.ts";
import { trace } from "./trace.ts";

/** What every event passes, the outermost first. A test may leave one out to see what it is for. */
export const defaultChain: readonly ConsumerMiddleware[] = [
  passOver, // before the trace: what does not concern the group leaves nothing behind
  trace, // then: whatever the others do belongs to the event's trace
  measure,
  retry, // around the timeout: an event that takes too long has failed
  timeout,
  prepare, // before the transaction: it may wait for others
  dedupe, // last: the inbox row and the effect are one transaction
];
