import { fromBinary, type Message } from "@bufbuild/protobuf";
import { type Any, anyUnpack, durationMs } from "@bufbuild/protobuf/wkt";
import { BadRequestSchema, ErrorInfoSchema, RetryInfoSchema } from "#gen/google/rpc/error_details_pb.js";
import { StatusSchema } from "#gen/google/rpc/status_pb.js";

export interface Violation {
  field: string;
  description: string;
}

/** An error in the words that all protocols have in common. */
export interface Failure {
  /** As numbered by google.rpc.Code. */
  code: number;
  reason: string;
  /** Undefined where the protocol has its own: REST lists the fields in other words. */
  message: string | undefined;
  violations: Violation[];
  metadata: Record<string, string>;
  /** Whether it says when to come back. */
  retry: boolean;
}

/** What came back, read from its protocol. */
export interface Answer {
  /** The message that was answered with; of a stream, the first one, if one came in time. */
  message?: Message | undefined;
  failure?: Failure | undefined;
  /** The headers and trailers that are the same on every protocol. */
  metadata: Record<string, string>;
  /** What is wrong with the answer as such: not what the protocol prescribes. */
  faults: string[];
  /** From the first byte sent to the last one read. */
  milliseconds: number;
}

export const codeNames = [
  "OK",
  "CANCELLED",
  "UNKNOWN",
  "INVALID_ARGUMENT",
  "DEADLINE_EXCEEDED",
  "NOT_FOUND",
  "ALREADY_EXISTS",
  "PERMISSION_DENIED",
  "RESOURCE_EXHAUSTED",
  "FAILED_PRECONDITION",
  "ABORTED",
  "OUT_OF_RANGE",
  "UNIMPLEMENTED",
  "INTERNAL",
  "UNAVAILABLE",
  "DATA_LOSS",
  "UNAUTHENTICATED",
] as const;

const comparable = ["idempotency-replayed", "www-authenticate"];

/** Of all headers and trailers, those that a client of any protocol may count on. */
export function comparableMetadata(...parts: Record<string, unknown>[]): Record<string, string> {
  const all = Object.assign({}, ...parts) as Record<string, unknown>;
  return Object.fromEntries(
    comparable.filter((name) => all[name] !== undefined).map((name) => [name, String(all[name])]),
  );
}

/** The failure that google.rpc details tell of. */
export function failureOf(code: number, message: string, details: readonly Any[]): Failure {
  const failure: Failure = { code, reason: "", message, violations: [], metadata: {}, retry: false };
  for (const detail of details) {
    const info = anyUnpack(detail, ErrorInfoSchema);
    if (info) Object.assign(failure, { reason: info.reason, metadata: info.metadata });
    const bad = anyUnpack(detail, BadRequestSchema);
    if (bad) failure.violations = bad.fieldViolations.map(({ field, description }) => ({ field, description }));
    const retry = anyUnpack(detail, RetryInfoSchema)?.retryDelay;
    if (retry) failure.retry = durationMs(retry) >= 0;
  }
  return failure;
}

/** The failure of gRPC's trailers. */
export function failureOfTrailers(trailers: Record<string, unknown>, faults: string[]): Failure {
  const code = Number(trailers["grpc-status"]);
  const message = decodeURIComponent(String(trailers["grpc-message"] ?? ""));
  const bytes = trailers["grpc-status-details-bin"];
  if (typeof bytes !== "string") {
    faults.push(`${codeNames[code]} came without its details`);
    return failureOf(code, message, []);
  }
  const status = fromBinary(StatusSchema, Buffer.from(bytes, "base64"));
  if (status.code !== code) faults.push(`grpc-status is ${code}, and its details say ${status.code}`);
  if (status.message !== message) faults.push("grpc-message is not the message of its details");
  return failureOf(code, message, status.details);
}
