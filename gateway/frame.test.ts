import { expect, test } from "vitest";
import { Code } from "#kit/errors.ts";
import { frameOf } from "#kit/grpc/message-frames.ts";
import { onlyMessage } from "./frame.ts";

const limit = 10;
const frame = (flags: number, length: number, ...bytes: number[]) => {
  const prefix = Buffer.from([flags, 0, 0, 0, 0]);
  prefix.writeUInt32BE(length, 1);
  return Buffer.concat([prefix, Buffer.from(bytes)]);
};

test("the one message is read", () => {
  expect(onlyMessage(frame(0, 2, 7, 8), limit)).toEqual({ bytes: Buffer.from([7, 8]), isCompressed: false });
  expect(onlyMessage(frame(1, 1, 7), limit)).toEqual({ bytes: Buffer.from([7]), isCompressed: true });
  expect(onlyMessage(frame(0, 0), limit).bytes).toHaveLength(0);
  expect(onlyMessage(Buffer.from(frameOf(Buffer.from([1, 2, 3]))), limit).bytes).toEqual(Buffer.from([1, 2, 3]));
});

test.each([
  ["no message", Buffer.alloc(0), Code.UNIMPLEMENTED],
  ["two messages", Buffer.concat([frame(0, 1, 7), frame(0, 1, 8)]), Code.UNIMPLEMENTED],
  ["three messages", Buffer.concat([frame(0, 0), frame(0, 0), frame(0, 0)]), Code.UNIMPLEMENTED],
  ["a prefix that ends too early", Buffer.from([0, 0, 0]), Code.INVALID_ARGUMENT],
  ["a message that ends too early", frame(0, 3, 7), Code.INVALID_ARGUMENT],
  ["bytes behind it", Buffer.concat([frame(0, 1, 7), Buffer.from([1])]), Code.INVALID_ARGUMENT],
  ["a half frame behind it", Buffer.concat([frame(0, 1, 7), frame(0, 9, 1)]), Code.INVALID_ARGUMENT],
  ["flags of an end of stream", frame(2, 0), Code.INVALID_ARGUMENT],
  ["flags of trailers", frame(0x80, 0), Code.INVALID_ARGUMENT],
  ["all flags", frame(255, 1, 1), Code.INVALID_ARGUMENT],
  ["a length beyond the limit", frame(0, limit + 1, ...Array<number>(limit + 1).fill(0)), Code.RESOURCE_EXHAUSTED],
  ["the largest length there is", frame(0, 0xffffffff, 1), Code.RESOURCE_EXHAUSTED],
  ["the same, compressed", frame(1, 0xffffffff, 1), Code.INVALID_ARGUMENT],
])("%s is refused", (_what, body, code) => {
  expect(() => onlyMessage(body, limit)).toThrow(expect.objectContaining({ code }));
});
