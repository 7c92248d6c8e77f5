/** A whole answer at the beginning of what has come over a connection, and how many bytes it took. */
export interface Response {
  status: number;
  body: string;
  length: number;
}

const lineEnd = "\r\n";
const headEnd = "\r\n\r\n";

/** Reads one answer of HTTP/1.1 (RFC 9112); undefined while it is not whole. Throws when it is none. */
export function readResponse(bytes: Buffer): Response | undefined {
  const end = bytes.indexOf(headEnd);
  if (end === -1) return undefined;
  const head = bytes.toString("latin1", 0, end);
  const [, code] = /^HTTP\/1\.1 (\d{3})/.exec(head) ?? [];
  if (code === undefined) throw new Error("not an answer of HTTP/1.1");
  const start = end + headEnd.length;
  const body = /\r\ntransfer-encoding: *chunked/i.test(head) ? readChunks(bytes, start) : readPlain(bytes, start, head);
  return body && { status: Number(code), ...body };
}

type Body = Pick<Response, "body" | "length">;

function readPlain(bytes: Buffer, start: number, head: string): Body | undefined {
  const size = Number(/\r\ncontent-length: *(\d+)/i.exec(head)?.[1] ?? 0);
  const length = start + size;
  return bytes.length < length ? undefined : { body: bytes.toString("utf8", start, length), length };
}

function readChunks(bytes: Buffer, start: number): Body | undefined {
  const parts: Buffer[] = [];
  let place = start;
  for (;;) {
    const end = bytes.indexOf(lineEnd, place);
    if (end === -1) return undefined;
    const size = Number.parseInt(bytes.toString("latin1", place, end), 16);
    if (!(size >= 0)) throw new Error("a chunk without a size");
    const next = end + lineEnd.length + size + lineEnd.length;
    if (bytes.length < next) return undefined;
    if (size === 0) return { body: Buffer.concat(parts).toString("utf8"), length: next };
    parts.push(bytes.subarray(end + lineEnd.length, end + lineEnd.length + size));
    place = next;
  }
}
