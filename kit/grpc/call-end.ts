import { constants, type IncomingHttpHeaders } from "node:http2";
import { Code } from "../errors.ts";

/** How a call ended: its status, and the trailers that came with it. */
export interface CallEnd {
  /** Of gRPC; 0 is OK. */
  code: number;
  /** Text of the other side or of ours, for the log. */
  details: string;
  trailers: IncomingHttpHeaders;
  /** Its stream was cut off before any status came. */
  isReset?: true;
}

export const statusOk = 0;

const none: IncomingHttpHeaders = Object.freeze({});

export function endWith(code: number, details: string): CallEnd {
  return { code, details, trailers: none };
}

/** The end that trailers tell of; undefined when they tell of none. */
export function endOfTrailers(trailers: IncomingHttpHeaders): CallEnd | undefined {
  const status = trailers["grpc-status"];
  if (status === undefined) return undefined;
  const code = /^\d{1,2}$/.test(String(status)) ? Number(status) : Code.UNKNOWN;
  return { code, details: decodeMessage(trailers["grpc-message"]), trailers };
}

/** The end of a call that was answered without a status of gRPC, by whoever is in between (gRPC, http-grpc-status-mapping). */
export function endOfHttp(status: number | undefined): CallEnd {
  return endWith(
    codeOfHttp[status ?? 0] ?? Code.UNKNOWN,
    `answered with HTTP status ${status} and without one of gRPC`,
  );
}

/** What a caller of gRPC makes of a status of HTTP without one of gRPC; any other is UNKNOWN. */
export const codeOfHttp: Readonly<Record<number, number>> = {
  400: Code.INTERNAL,
  401: Code.UNAUTHENTICATED,
  403: Code.PERMISSION_DENIED,
  404: Code.UNIMPLEMENTED,
  429: Code.UNAVAILABLE,
  502: Code.UNAVAILABLE,
  503: Code.UNAVAILABLE,
  504: Code.UNAVAILABLE,
};

/** The end of a call whose stream was reset (gRPC over HTTP/2, "Errors"). */
export function endOfReset(code: number | undefined): CallEnd {
  const details = `the stream was reset with code ${code}`;
  return { ...endWith(codeOfReset[code ?? -1] ?? Code.INTERNAL, details), isReset: true };
}

const codeOfReset: Record<number, number> = {
  [constants.NGHTTP2_REFUSED_STREAM]: Code.UNAVAILABLE,
  [constants.NGHTTP2_CANCEL]: Code.CANCELLED,
  [constants.NGHTTP2_ENHANCE_YOUR_CALM]: Code.RESOURCE_EXHAUSTED,
  [constants.NGHTTP2_INADEQUATE_SECURITY]: Code.PERMISSION_DENIED,
};

/** grpc-message is percent-encoded; what is not well encoded stays as it came. */
function decodeMessage(text: string | string[] | undefined): string {
  const message = text === undefined ? "" : String(text);
  if (!message.includes("%")) return message;
  try {
    return decodeURIComponent(message);
  } catch {
    return message;
  }
}
