import { ErrorReason } from "#gen/mesh/v1/error_reason_pb.js";

/** The status codes of gRPC. */
export const Code = {
  CANCELLED: 1,
  UNKNOWN: 2,
  INVALID_ARGUMENT: 3,
  DEADLINE_EXCEEDED: 4,
  NOT_FOUND: 5,
  ALREADY_EXISTS: 6,
  PERMISSION_DENIED: 7,
  RESOURCE_EXHAUSTED: 8,
  FAILED_PRECONDITION: 9,
  ABORTED: 10,
  OUT_OF_RANGE: 11,
  UNIMPLEMENTED: 12,
  INTERNAL: 13,
  UNAVAILABLE: 14,
  DATA_LOSS: 15,
  UNAUTHENTICATED: 16,
} as const;
export type Code = (typeof Code)[keyof typeof Code];

const names = new Map<number, keyof typeof Code>(
  Object.entries(Code).map(([name, code]) => [code, name as keyof typeof Code]),
);

/** The name of a status code, "NOT_FOUND"; UNKNOWN for a number that is none. */
export function codeName(code: number): keyof typeof Code {
  return names.get(code) ?? "UNKNOWN";
}

/** Which status each reason is answered with. */
export const codeOfReason = {
  [ErrorReason.UNSPECIFIED]: Code.INTERNAL,
  [ErrorReason.INVALID_FIELD]: Code.INVALID_ARGUMENT,
  [ErrorReason.TOKEN_INVALID]: Code.UNAUTHENTICATED,
  [ErrorReason.TOKEN_EXPIRED]: Code.UNAUTHENTICATED,
  [ErrorReason.CREDENTIALS_INVALID]: Code.UNAUTHENTICATED,
  [ErrorReason.REFRESH_TOKEN_INVALID]: Code.UNAUTHENTICATED,
  [ErrorReason.PERMISSION_DENIED]: Code.PERMISSION_DENIED,
  [ErrorReason.CALLER_NOT_ALLOWED]: Code.PERMISSION_DENIED,
  [ErrorReason.EMAIL_TAKEN]: Code.ALREADY_EXISTS,
  [ErrorReason.USER_NOT_FOUND]: Code.NOT_FOUND,
  [ErrorReason.TASK_NOT_FOUND]: Code.NOT_FOUND,
  [ErrorReason.TASK_STATE]: Code.FAILED_PRECONDITION,
  [ErrorReason.ETAG_MISMATCH]: Code.ABORTED,
  [ErrorReason.NOTIFICATION_NOT_FOUND]: Code.NOT_FOUND,
  [ErrorReason.ALREADY_EXISTS]: Code.ALREADY_EXISTS,
  [ErrorReason.RATE_LIMITED]: Code.RESOURCE_EXHAUSTED,
  [ErrorReason.UNAVAILABLE]: Code.UNAVAILABLE,
  [ErrorReason.DEADLINE_EXCEEDED]: Code.DEADLINE_EXCEEDED,
  [ErrorReason.CANCELLED]: Code.CANCELLED,
  [ErrorReason.CONFLICT]: Code.ABORTED,
  [ErrorReason.UNKNOWN_METHOD]: Code.UNIMPLEMENTED,
  [ErrorReason.INTERNAL]: Code.INTERNAL,
  [ErrorReason.IDEMPOTENCY_KEY_REUSED]: Code.FAILED_PRECONDITION,
  [ErrorReason.IDEMPOTENCY_KEY_IN_FLIGHT]: Code.ABORTED,
  [ErrorReason.LIMIT_REACHED]: Code.FAILED_PRECONDITION,
  [ErrorReason.MESSAGE_TOO_LARGE]: Code.RESOURCE_EXHAUSTED,
  [ErrorReason.API_KEY_NOT_FOUND]: Code.NOT_FOUND,
  [ErrorReason.SCOPE_MISSING]: Code.PERMISSION_DENIED,
  [ErrorReason.ETAG_REQUIRED]: Code.FAILED_PRECONDITION,
  [ErrorReason.OVERLOADED]: Code.RESOURCE_EXHAUSTED,
  [ErrorReason.PUSH_SUBSCRIPTION_NOT_FOUND]: Code.NOT_FOUND,
  [ErrorReason.REMINDER_NOT_FOUND]: Code.NOT_FOUND,
  [ErrorReason.ALERT_NOT_FOUND]: Code.NOT_FOUND,
  [ErrorReason.WEBHOOK_NOT_FOUND]: Code.NOT_FOUND,
  [ErrorReason.WEBHOOK_DELIVERY_NOT_FOUND]: Code.NOT_FOUND,
  [ErrorReason.WEBHOOK_DISABLED]: Code.FAILED_PRECONDITION,
} satisfies Record<ErrorReason, Code>;

export interface FieldViolation {
  /** Path in the request message, in proto names: "task.due.date". */
  field: string;
  description: string;
}

/** A message in a google.protobuf.Any. */
export interface PackedDetail {
  typeUrl: string;
  value: Uint8Array;
}

export interface ServiceErrorOptions {
  /** Follows from the reason unless given. */
  code?: Code;
  reason: ErrorReason;
  /** For the caller: says what is wrong without any secret or personal text. */
  message: string;
  fieldViolations?: FieldViolation[];
  metadata?: Record<string, string>;
  /** When trying again makes sense, in milliseconds. */
  retryAfterMs?: number;
  /** Further details of the status, packed as google.protobuf.Any. They go to the caller as they are. */
  details?: readonly PackedDetail[];
  /** For the log only; never sent. */
  cause?: unknown;
}

/** The one error that crosses borders: a status of gRPC with a reason out of the closed set. */
export class ServiceError extends Error {
  override readonly name = "ServiceError";
  readonly code: Code;
  readonly reason: ErrorReason;
  readonly fieldViolations: readonly FieldViolation[];
  readonly metadata: Readonly<Record<string, string>>;
  readonly retryAfterMs: number | undefined;
  readonly details: readonly PackedDetail[] | undefined;

  constructor(options: ServiceErrorOptions) {
    super(options.message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = options.code ?? codeOfReason[options.reason];
    this.reason = options.reason;
    this.fieldViolations = options.fieldViolations ?? [];
    this.metadata = options.metadata ?? {};
    this.retryAfterMs = options.retryAfterMs;
    this.details = options.details;
  }
}

/** INVALID_ARGUMENT for one field; `field` is its path in the request message, in proto names. */
export function invalidArgument(field: string, description: string): ServiceError {
  return invalidFields([{ field, description }]);
}

/** INVALID_ARGUMENT for several fields at once. */
export function invalidFields(fieldViolations: FieldViolation[]): ServiceError {
  const message = fieldViolations.map(({ field, description }) => `${field}: ${description}`).join("; ");
  return new ServiceError({ reason: ErrorReason.INVALID_FIELD, message, fieldViolations });
}

/** NOT_FOUND with the reason of the resource. */
export function notFound(reason: ErrorReason, message: string): ServiceError {
  return new ServiceError({ code: Code.NOT_FOUND, reason, message });
}

/** PERMISSION_DENIED: the caller is known and may not do this. */
export function permissionDenied(message: string): ServiceError {
  return new ServiceError({ reason: ErrorReason.PERMISSION_DENIED, message });
}

/** UNAUTHENTICATED. */
export function unauthenticated(reason: ErrorReason, message: string): ServiceError {
  return new ServiceError({ code: Code.UNAUTHENTICATED, reason, message });
}

/** UNAVAILABLE: a part is away for the moment; `retryAfterMs` says when to come back. */
export function unavailable(message: string, cause?: unknown, retryAfterMs = 1000): ServiceError {
  return new ServiceError({ reason: ErrorReason.UNAVAILABLE, message, retryAfterMs, cause });
}

/** ABORTED: the resource has changed since the caller saw it. Says which version is there now. */
export function etagMismatch(currentEtag: string, currentRevision?: bigint): ServiceError {
  return new ServiceError({
    reason: ErrorReason.ETAG_MISMATCH,
    message: "the resource was changed since this etag; read it again and repeat the change",
    metadata: {
      current_etag: currentEtag,
      ...(currentRevision !== undefined && { current_revision: String(currentRevision) }),
    },
  });
}

/** INTERNAL with a neutral text; the cause goes to the log only. */
export function internal(cause: unknown): ServiceError {
  return new ServiceError({ reason: ErrorReason.INTERNAL, message: "internal error", cause });
}
