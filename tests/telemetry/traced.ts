import { randomBytes } from "node:crypto";
import { until } from "../_util/until.ts";
import { differences } from "./compare.ts";
import type { ExpectedSpan } from "./expected.ts";
import { spansOf } from "./jaeger-spans.ts";

/** A trace that we begin and that everybody keeps: its id, and the span that its first one is a child of. */
export interface Begun {
  traceId: string;
  spanId: string;
  traceparent: string;
}

export function begin(): Begun {
  const [traceId, spanId] = [randomBytes(16).toString("hex"), randomBytes(8).toString("hex")];
  return { traceId, spanId, traceparent: `00-${traceId}-${spanId}-01` };
}

/** What differs from the declaration now. */
export async function differencesNow(jaeger: string, expected: ExpectedSpan, begun: Begun): Promise<string[]> {
  return differences(expected, await spansOf(jaeger, begun.traceId), begun.spanId);
}

/** Waits until a trace is as declared. Answers with what differs when the time is over. */
export async function differencesOf(
  jaeger: string,
  expected: ExpectedSpan,
  begun: Begun,
  timeoutMs = 10_000,
): Promise<string[]> {
  let last: string[] = [];
  const settled = async () => {
    last = await differencesNow(jaeger, expected, begun);
    return last.length === 0;
  };
  await until("the trace to be as declared", settled, { timeoutMs, everyMs: 150 }).catch(() => {});
  return last;
}
