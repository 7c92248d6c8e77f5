import { create, type DescMessage, fromBinary, type MessageShape, toBinary } from "@bufbuild/protobuf";
import { type Any, AnySchema, anyPack, anyUnpack, durationFromMs, durationMs } from "@bufbuild/protobuf/wkt";
import { Metadata, type StatusObject } from "@grpc/grpc-js";
import { BadRequestSchema, ErrorInfoSchema, RetryInfoSchema } from "#gen/google/rpc/error_details_pb.js";
import { type Status, StatusSchema } from "#gen/google/rpc/status_pb.js";
import { ErrorReason } from "#gen/mesh/v1/error_reason_pb.js";
import { Code, type FieldViolation, type PackedDetail, ServiceError } from "../errors.ts";
import type { CallEnd } from "./call-end.ts";

const domain = "taskmesh";
const infoUrl = `type.googleapis.com/${ErrorInfoSchema.typeName}`;
const ownUrls = new Set([
  infoUrl,
  ...[BadRequestSchema, RetryInfoSchema].map(({ typeName }) => `type.googleapis.com/${typeName}`),
]);
const detailsKey = "grpc-status-details-bin";
// A status travels in headers, and proxies bound those.
const maxMessageLength = 1024;
const maxViolationsLength = 16_384;

/** The one way out: an error as a status of gRPC, its details as google.rpc.Status in grpc-status-details-bin. */
export function toStatus(error: ServiceError, metadata: Metadata = new Metadata()): StatusObject {
  const message = shorten(error.message.toWellFormed());
  const details: Any[] = [];
  // An error with details of another kind alone says so itself.
  if (error.reason !== ErrorReason.UNSPECIFIED || error.details === undefined) {
    const info = { domain, reason: ErrorReason[error.reason], metadata: { ...error.metadata } };
    details.push(anyPack(ErrorInfoSchema, create(ErrorInfoSchema, info)));
  }
  if (error.fieldViolations.length > 0) {
    details.push(anyPack(BadRequestSchema, create(BadRequestSchema, { fieldViolations: fitting(error) })));
  }
  if (error.retryAfterMs !== undefined) {
    const retryDelay = durationFromMs(error.retryAfterMs);
    details.push(anyPack(RetryInfoSchema, create(RetryInfoSchema, { retryDelay })));
  }
  for (const { typeUrl, value } of error.details ?? []) details.push(create(AnySchema, { typeUrl, value }));
  const status = create(StatusSchema, { code: error.code, message, details });
  metadata.set(detailsKey, Buffer.from(toBinary(StatusSchema, status)));
  return { code: error.code, details: message, metadata };
}

/**
 * The one way in: the error that a status of gRPC stands for. A status without our details comes from a proxy or the
 * library: it keeps its code, and its text, which may name addresses, goes no further than the log.
 */
export function fromStatus({ code, details: text, trailers }: CallEnd): ServiceError {
  const status = readStatus(trailers[detailsKey]);
  const details = status?.details ?? [];
  const info = unpack(details, ErrorInfoSchema);
  // Only an application says a status in full: one without a reason is a service's that has none of ours.
  const isReasonless = status?.code === code && !details.some(({ typeUrl }) => typeUrl === infoUrl);
  if (info?.domain !== domain && !isReasonless) return foreignError(code, text);
  const retryDelay = unpack(details, RetryInfoSchema)?.retryDelay;
  return new ServiceError({
    code: code as Code,
    reason: reasons.get(info?.reason ?? "") ?? ErrorReason.UNSPECIFIED,
    message: text,
    fieldViolations: unpack(details, BadRequestSchema)?.fieldViolations.map(({ field, description }) => ({
      field,
      description,
    })),
    metadata: info?.metadata,
    details: othersOf(details, isReasonless),
    retryAfterMs: retryDelay && durationMs(retryDelay),
  });
}

const faults: ReadonlySet<number> = new Set([
  Code.UNKNOWN,
  Code.DEADLINE_EXCEEDED,
  Code.UNIMPLEMENTED,
  Code.INTERNAL,
  Code.UNAVAILABLE,
  Code.DATA_LOSS,
]);

/** Whether an error is an answer rather than a fault of the server (OpenTelemetry's semantic conventions for gRPC). */
export function isOrdinaryAnswer(error: unknown): boolean {
  return error instanceof ServiceError && !faults.has(error.code);
}

const reasons = new Map(
  Object.entries(ErrorReason).flatMap(([name, value]) => (typeof value === "number" ? [[name, value] as const] : [])),
);

const foreign: Partial<Record<number, { reason: ErrorReason; message: string; retryAfterMs?: number }>> = {
  [Code.CANCELLED]: { reason: ErrorReason.CANCELLED, message: "the call was cancelled" },
  [Code.DEADLINE_EXCEEDED]: { reason: ErrorReason.DEADLINE_EXCEEDED, message: "the call took too long" },
  [Code.INVALID_ARGUMENT]: { reason: ErrorReason.INVALID_FIELD, message: "the request is malformed" },
  [Code.PERMISSION_DENIED]: { reason: ErrorReason.PERMISSION_DENIED, message: "the call is not allowed" },
  [Code.RESOURCE_EXHAUSTED]: { reason: ErrorReason.RATE_LIMITED, message: "too many calls", retryAfterMs: 1000 },
  [Code.UNAUTHENTICATED]: { reason: ErrorReason.TOKEN_INVALID, message: "the caller is not authenticated" },
  [Code.UNAVAILABLE]: {
    reason: ErrorReason.UNAVAILABLE,
    message: "the service is away for the moment",
    retryAfterMs: 1000,
  },
  [Code.UNIMPLEMENTED]: { reason: ErrorReason.UNKNOWN_METHOD, message: "the service does not know this method" },
};
const tooLarge = {
  reason: ErrorReason.MESSAGE_TOO_LARGE,
  message: "the message is too large",
  retryAfterMs: undefined,
};
const unknown = { reason: ErrorReason.INTERNAL, message: "internal error", retryAfterMs: undefined };

function foreignError(code: number, text: string): ServiceError {
  const isSize = code === Code.RESOURCE_EXHAUSTED && /larger than/i.test(text);
  const known = isSize ? tooLarge : (foreign[code] ?? unknown);
  return new ServiceError({ ...known, code: (code in foreign ? code : Code.INTERNAL) as Code, cause: new Error(text) });
}

/** Base64 of google.rpc.Status, with padding or without; several values are separated by commas. */
function readStatus(value: string | string[] | undefined): Status | undefined {
  if (value === undefined) return undefined;
  const [base64 = ""] = String(value).split(",", 1);
  try {
    return fromBinary(StatusSchema, Buffer.from(base64, "base64"));
  } catch {
    return undefined;
  }
}

/** The details that have no place of their own in a ServiceError. */
function othersOf(details: Any[], isReasonless: boolean): PackedDetail[] | undefined {
  const others = details
    .filter(({ typeUrl }) => !ownUrls.has(typeUrl))
    .map(({ typeUrl, value }) => ({ typeUrl, value: new Uint8Array(value) }));
  return others.length > 0 || isReasonless ? others : undefined;
}

function unpack<D extends DescMessage>(details: Any[], schema: D): MessageShape<D> | undefined {
  for (const detail of details) {
    try {
      const message = anyUnpack(detail, schema);
      if (message) return message;
    } catch {
      return undefined;
    }
  }
  return undefined;
}

function fitting({ fieldViolations }: ServiceError): FieldViolation[] {
  let length = 0;
  return fieldViolations.filter(({ field, description }) => {
    length += field.length + description.length;
    return length <= maxViolationsLength;
  });
}

function shorten(text: string): string {
  return text.length > maxMessageLength ? `${text.slice(0, maxMessageLength - 1).toWellFormed()}…` : text;
}
