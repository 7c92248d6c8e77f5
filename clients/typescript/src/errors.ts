import { durationMs } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError } from "@connectrpc/connect";
import { BadRequestSchema, ErrorInfoSchema, RetryInfoSchema } from "../../../proto/gen/google/rpc/error_details_pb.js";

const domain = "taskmesh";
const tokenReasons: ReadonlySet<string | undefined> = new Set(["TOKEN_INVALID", "TOKEN_EXPIRED", undefined]);
const passingReasons: ReadonlySet<string | undefined> = new Set(["CONFLICT", "IDEMPOTENCY_KEY_IN_FLIGHT"]);

/** Why a call failed, for programs: "TASK_NOT_FOUND". Undefined when the mesh did not answer itself. */
export function reasonOf(error: unknown): string | undefined {
  const infos = ConnectError.from(error).findDetails(ErrorInfoSchema);
  return infos.find((info) => info.domain === domain)?.reason;
}

/** What is wrong with which field of the request, by its proto path: "task.due.date". */
export function fieldViolationsOf(error: unknown): { field: string; description: string }[] {
  const requests = ConnectError.from(error).findDetails(BadRequestSchema);
  return requests.flatMap(({ fieldViolations }) =>
    fieldViolations.map(({ field, description }) => ({ field, description })),
  );
}

/** How long the mesh asks to wait, in milliseconds: by RetryInfo, or by Retry-After (RFC 9110) of whoever answered. */
export function askedWaitMs(error: ConnectError): number | undefined {
  const delay = error.findDetails(RetryInfoSchema)[0]?.retryDelay;
  if (delay !== undefined) return durationMs(delay);
  const header = error.metadata.get("retry-after");
  if (header === null) return undefined;
  const ms = /^\d+$/.test(header) ? Number(header) * 1000 : Date.parse(header) - Date.now();
  return Number.isNaN(ms) ? undefined : Math.max(0, ms);
}

/** Whether the access token was refused, rather than anything that the call says. */
export function isTokenRefused(error: ConnectError): boolean {
  return error.code === Code.Unauthenticated && tokenReasons.has(reasonOf(error));
}

/** Whether the same call may succeed a little later. */
export function isPassing(error: ConnectError): boolean {
  if (error.code === Code.Unavailable || isConnectionLost(error)) return true;
  // Too much, or too large? Only the former comes with a time.
  if (error.code === Code.ResourceExhausted) return askedWaitMs(error) !== undefined;
  return error.code === Code.Aborted && passingReasons.has(reasonOf(error));
}

/** Fetch reports every failure of the network as a TypeError; a stream that is cut off is only found to lack its end. */
function isConnectionLost({ code, cause }: ConnectError): boolean {
  return code === Code.Unknown && (cause instanceof TypeError || cause === "missing EndStreamResponse");
}
