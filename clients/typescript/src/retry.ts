import { type DescMethod, getOption, hasOption } from "@bufbuild/protobuf";
import { MethodOptions_IdempotencyLevel as Level } from "@bufbuild/protobuf/wkt";
import { ConnectError, type Interceptor, type UnaryRequest } from "@connectrpc/connect";
import { policy } from "../../../proto/gen/mesh/v1/options_pb.js";
import { askedWaitMs, isPassing } from "./errors.ts";
import { pause } from "./waiting.ts";

const keyHeader = "idempotency-key";
const timeoutHeader = "connect-timeout-ms";
const firstWaitMs = 100;
const longestBackoffMs = 5000;

type Next = Parameters<Interceptor>[0];

export interface RetryOptions {
  /** How often a call is made in all. */
  attempts: number;
  /** A call whose turn is further away than this fails at once, in milliseconds. */
  maxWaitMs: number;
  /** Whether a call may be made twice. */
  isSafe: (method: DescMethod) => boolean;
}

/**
 * Repeats a call that is safe to repeat and that may succeed a little later: when the mesh says, or after a little
 * longer each time. Writes that take one get an Idempotency-Key, the same for every attempt.
 */
export function retrying(options: RetryOptions): Interceptor {
  return (next) => (request) => {
    if (request.stream) return next(request);
    if (takesKey(request.method) && !hasKey(request)) request.header.set(keyHeader, newKey());
    return inAttempts(request, next, options);
  };
}

async function inAttempts(request: UnaryRequest, next: Next, options: RetryOptions) {
  const end = endOf(request.header);
  for (let failures = 1; ; failures++) {
    try {
      return await next(request);
    } catch (error) {
      const waitMs = options.isSafe(request.method)
        ? waitBefore(failures, ConnectError.from(error), options)
        : undefined;
      const leftMs = end - performance.now();
      if (waitMs === undefined || waitMs >= leftMs) throw error;
      await pause(waitMs, request.signal);
      if (Number.isFinite(end)) request.header.set(timeoutHeader, String(Math.ceil(leftMs - waitMs)));
    }
  }
}

/** How long to wait after that many failures, in milliseconds; undefined when it is no use. */
export function waitBefore(failures: number, error: ConnectError, options: RetryOptions): number | undefined {
  if (failures >= options.attempts || !isPassing(error)) return undefined;
  const backoff = Math.min(longestBackoffMs, firstWaitMs * 2 ** failures);
  const asked = askedWaitMs(error);
  // Whoever was turned away together should not come back together.
  const waitMs = asked === undefined ? backoff * (0.5 + Math.random() / 2) : asked + firstWaitMs * Math.random();
  return waitMs > options.maxWaitMs ? undefined : waitMs;
}

/** Whether the proto file says that the call may be made twice. */
export function isRepeatable(method: DescMethod): boolean {
  return method.idempotency !== Level.IDEMPOTENCY_UNKNOWN;
}

/** Whether the call is one that a key makes safe to repeat. */
export function takesKey(method: DescMethod): boolean {
  return hasOption(method, policy) && getOption(method, policy).idempotencyKey;
}

/** Whether the caller gave a key, as a header or as the field of the request. */
function hasKey({ header, message }: UnaryRequest): boolean {
  return header.has(keyHeader) || Boolean((message as { requestId?: string }).requestId);
}

/** 128 random bits. `crypto.randomUUID` is missing on pages that came without TLS. */
function newKey(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

function endOf(header: Headers): number {
  const timeoutMs = header.get(timeoutHeader);
  return timeoutMs === null ? Number.POSITIVE_INFINITY : performance.now() + Number(timeoutMs);
}
