import { ErrorReason } from "#gen/mesh/v1/error_reason_pb.js";

/** A short name out of a closed set for an error: its reason, its code ("ECONNREFUSED", "23505"), or its class. */
export function errorType(error: unknown): string {
  if (!(error instanceof Error)) return "unknown";
  const { reason, code } = error as { reason?: unknown; code?: unknown };
  if (typeof reason === "number" && ErrorReason[reason] !== undefined) return ErrorReason[reason];
  return typeof code === "string" && /^[A-Za-z0-9_]{1,40}$/.test(code) ? code : error.name;
}
