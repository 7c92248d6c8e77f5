import { expect, test } from "vitest";
import { readResponse } from "./response.ts";

const plain = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nserver: envoy\r\n\r\ngrüß";
const chunked =
  "HTTP/1.1 503 Service Unavailable\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\nA\r\n0123456789\r\n0\r\n\r\n";

test.each([
  ["with a length", Buffer.from(plain.replace("5", "6")), { status: 200, body: "grüß" }],
  ["in chunks", Buffer.from(chunked), { status: 503, body: "abc0123456789" }],
  ["without a body", Buffer.from("HTTP/1.1 304 Not Modified\r\n\r\n"), { status: 304, body: "" }],
])("an answer %s is whole at its last byte, not before, and leaves what follows alone", (_title, bytes, answer) => {
  for (let length = 0; length < bytes.length; length++) expect(readResponse(bytes.subarray(0, length))).toBe(undefined);
  const more = Buffer.concat([bytes, Buffer.from("HTTP/1.1 200")]);
  expect(readResponse(more)).toEqual({ ...answer, length: bytes.length });
});

test("what is no answer is refused", () => {
  expect(() => readResponse(Buffer.from("SSH-2.0-x\r\n\r\n"))).toThrow();
  expect(() => readResponse(Buffer.from("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n"))).toThrow();
});
