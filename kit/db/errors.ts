import { ErrorReason } from "#gen/mesh/v1/error_reason_pb.js";
import { internal, ServiceError, unavailable } from "#kit/errors.ts";

const network = new Set(["ECONNREFUSED", "ECONNRESET", "EPIPE", "ETIMEDOUT", "ENOTFOUND", "EAI_AGAIN", "EHOSTUNREACH"]);
// The driver reports these without a code.
const lostConnection =
  /^(Connection terminated|timeout expired|timeout exceeded when trying to connect|Client has encountered|Client was closed)/;
const sqlState = /^[0-9A-Z]{5}$/;

/**
 * Turns an error of the driver into one that may cross borders; the original stays as its cause, for the log.
 * A ServiceError and an error that is not the database's come back as they are.
 */
export function toServiceError(error: unknown): unknown {
  if (!(error instanceof Error) || error instanceof ServiceError) return error;
  if (isConnectionError(error)) return unavailable("the database is not available", error);
  const code = codeOf(error);
  if (code === undefined || !sqlState.test(code)) return error;
  return fromSqlState(code, error);
}

/** Whether the database could not be reached, is shutting down or has no connection left: worth trying again. */
export function isConnectionError(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const code = codeOf(error) ?? "";
  return network.has(code) || isServerGone(code) || lostConnection.test(error.message);
}

/** Whether the server is there and does not let this program in: a wrong password, account or database. */
export function isRefusal(error: unknown): error is Error {
  return error instanceof Error && /^(28...|3D000)$/.test(codeOf(error) ?? "");
}

/** Whether a unique constraint refused the row, the named one if a name is given. Looks through causes. */
export function isUniqueViolation(error: unknown, constraint?: string): boolean {
  for (let current = error; current instanceof Error; current = current.cause) {
    const found = current as { code?: unknown; constraint?: unknown };
    if (found.code === "23505") return constraint === undefined || found.constraint === constraint;
  }
  return false;
}

function codeOf(error: Error): string | undefined {
  const { code } = error as { code?: unknown };
  return typeof code === "string" ? code : undefined;
}

// 08 connection exception, 53 insufficient resources, 57P01..57P05 the server ends or starts, 25P03 idle in transaction.
function isServerGone(code: string): boolean {
  return /^(08...|53...|57P0.|25P03)$/.test(code);
}

function fromSqlState(code: string, cause: Error): ServiceError {
  switch (code) {
    case "40001": // serialization_failure
    case "40P01": // deadlock_detected
    case "55P03": // lock_not_available
      return new ServiceError({
        reason: ErrorReason.CONFLICT,
        message: "another change got in the way; try again",
        retryAfterMs: 100,
        cause,
      });
    case "57014": // query_canceled, here by statement_timeout
      return new ServiceError({ reason: ErrorReason.DEADLINE_EXCEEDED, message: "the database took too long", cause });
    case "23505":
      return new ServiceError({ reason: ErrorReason.ALREADY_EXISTS, message: "it exists already", cause });
    default:
      return internal(cause);
  }
}
