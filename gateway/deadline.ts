import type { IncomingHttpHeaders } from "node:http";
import { malformedRequest } from "./errors/edge-error.ts";

const grpcTimeout = /^(\d{1,8})([HMSmun])$/;
const connectTimeout = /^\d{1,10}$/;
const preferWait = /(?:^|,)\s*wait\s*=\s*"?(\d{1,7})"?\s*(?:;|,|$)/i;
const unitMs = { H: 3_600_000, M: 60_000, S: 1000, m: 1, u: 1e-3, n: 1e-6 } as const;

/**
 * How long the client is ready to wait, in milliseconds: the shortest of Connect-Timeout-Ms, grpc-timeout and
 * `Prefer: wait` (RFC 7240, in seconds). Undefined when it does not say. Throws INVALID_ARGUMENT.
 */
export function clientTimeoutMs(headers: IncomingHttpHeaders): number | undefined {
  const { prefer, "connect-timeout-ms": connect, "grpc-timeout": grpc } = headers;
  // Most requests have none of them.
  if (prefer === undefined && connect === undefined && grpc === undefined) return undefined;
  const limits = [fromConnect(connect), fromGrpc(grpc), waitSeconds(headers) * 1000];
  const shortest = Math.min(...limits);
  return Number.isFinite(shortest) ? shortest : undefined;
}

/** The seconds of `Prefer: wait`; Infinity when there is none. A preference that is not understood is ignored. */
export function waitSeconds({ prefer }: IncomingHttpHeaders): number {
  const match = prefer === undefined ? null : preferWait.exec(String(prefer));
  return match ? Number(match[1]) : Number.POSITIVE_INFINITY;
}

function fromConnect(value: string | string[] | undefined): number {
  if (value === undefined) return Number.POSITIVE_INFINITY;
  if (!connectTimeout.test(String(value)))
    throw malformedRequest("connect-timeout-ms must be a number of milliseconds");
  return Number(value);
}

function fromGrpc(value: string | string[] | undefined): number {
  if (value === undefined) return Number.POSITIVE_INFINITY;
  const match = grpcTimeout.exec(String(value));
  if (!match) throw malformedRequest('grpc-timeout must be a number with a unit, such as "500m"');
  return Number(match[1]) * unitMs[match[2] as keyof typeof unitMs];
}
