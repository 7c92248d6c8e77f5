import type { IncomingMessage, ServerResponse } from "node:http";
import { promisify } from "node:util";
import { brotliCompress, constants } from "node:zlib";
import { securityHeaders } from "#kit/security-headers.ts";

/** Own scripts, styles and streams only; nothing inline, nothing from elsewhere. */
const pagePolicy =
  "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

const compress = promisify(brotliCompress);

export interface Content {
  type: string;
  body: string | Buffer;
}

export function answerJson(response: ServerResponse, status: number, body: unknown): void {
  answer(response, status, { "content-type": "application/json; charset=utf-8" }, JSON.stringify(body));
}

export function answerPage(response: ServerResponse, status: number, { type, body }: Content): void {
  answer(response, status, { "content-type": type, "content-security-policy": pagePolicy }, body);
}

/** JSON that may be large, a trace of a thousand spans: compressed where the client takes it. */
export async function answerLargeJson(
  request: IncomingMessage,
  response: ServerResponse,
  body: unknown,
): Promise<void> {
  const text = JSON.stringify(body);
  if (text.length < 16_384 || !/\bbr\b/.test(String(request.headers["accept-encoding"] ?? ""))) {
    return answerJson(response, 200, body);
  }
  const small = await compress(text, { params: { [constants.BROTLI_PARAM_QUALITY]: 4 } });
  const headers = { "content-type": "application/json; charset=utf-8", "content-encoding": "br" };
  answer(response, 200, headers, small);
}

export function answer(
  response: ServerResponse,
  status: number,
  headers: Record<string, string>,
  body: string | Buffer = "",
): void {
  response.writeHead(status, { ...securityHeaders, ...headers, "content-length": Buffer.byteLength(body) }).end(body);
}
