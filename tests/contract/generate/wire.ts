import { type DescMessage, ScalarType } from "@bufbuild/protobuf";
import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import fc from "fast-check";

/** What is done to the bytes of a message. With bytes of the same length it does the same at the same places. */
export interface WireFault {
  name: string;
  apply(bytes: Uint8Array): Uint8Array;
}

const place = fc.nat({ max: 4096 });
const badTexts = [[0xff], [0xc3, 0x28], [0xed, 0xa0, 0x80], [0xf4, 0x90, 0x80, 0x80], [0xc0, 0x80]];
const some = fc.uint8Array({ minLength: 1, maxLength: 40 });

/** Bytes that are hardly a message of the type: most must be refused, none may do harm. */
export function wireFaults(desc: DescMessage): fc.Arbitrary<WireFault> {
  return fc.oneof(
    { weight: 2, arbitrary: fault("random", fc.uint8Array({ maxLength: 200 }), (_, random) => random) },
    { weight: 3, arbitrary: fault("truncated", place, (bytes, at) => bytes.subarray(0, at % (bytes.length + 1))) },
    {
      weight: 4,
      arbitrary: fault("replaced", fc.array(fc.tuple(place, fc.nat(255)), { minLength: 1, maxLength: 3 }), replaced),
    },
    { weight: 2, arbitrary: fault("inserted", fc.tuple(place, some), inserted) },
    { weight: 1, arbitrary: fault("twice", fc.constant(0), (bytes) => joined(bytes, bytes)) },
    { weight: 6, arbitrary: appended(desc) },
  );
}

function fault<T>(
  name: string,
  drawn: fc.Arbitrary<T>,
  apply: (bytes: Uint8Array, value: T) => Uint8Array,
): fc.Arbitrary<WireFault> {
  return drawn.map((value) => ({ name, apply: (bytes) => apply(bytes, value) }));
}

function replaced(bytes: Uint8Array, changes: [number, number][]): Uint8Array {
  const copy = new Uint8Array(bytes);
  for (const [at, value] of changes) if (copy.length > 0) copy[at % copy.length] = value;
  return copy;
}

function inserted(bytes: Uint8Array, [at, more]: [number, Uint8Array]): Uint8Array {
  const index = at % (bytes.length + 1);
  return joined(bytes.subarray(0, index), more, bytes.subarray(index));
}

/** A good message with one field behind it that is wrong, or only strange. */
function appended(desc: DescMessage): fc.Arbitrary<WireFault> {
  const numbers = [...desc.fields.map(({ number }) => number), 536_870_911];
  const number = fc.constantFrom(...numbers);
  const tag = (field: number, type: number) => varint(BigInt(field * 8 + type));
  const tails: Record<string, fc.Arbitrary<Uint8Array>> = {
    overlongTag: number.map((field) => joined([((field * 8) & 0x7f) | 0x80], new Uint8Array(11).fill(0x80), [1])),
    overlongVarint: number.map((field) => joined(tag(field, WireType.Varint), new Uint8Array(10).fill(0xff), [1])),
    paddedVarint: number.map((field) => joined(tag(field, WireType.Varint), [0x81, 0x80, 0x80, 0x00])),
    endlessVarint: number.map((field) => joined(tag(field, WireType.Varint), [0xff, 0xff])),
    fieldZero: fc.constantFrom([0x00, 0x01], [0x02, 0x00], [0x05]).map((raw) => Uint8Array.from(raw)),
    wrongType: fc
      .tuple(number, fc.constantFrom(0, 1, 2, 5))
      .map(([field, type]) => joined(tag(field, type), payload(type))),
    unknownType: fc.tuple(number, fc.constantFrom(6, 7)).map(([field, type]) => tag(field, type)),
    openGroup: fc.tuple(number, fc.constantFrom(1, 99, 5000)).map(([field, depth]) => repeated(tag(field, 3), depth)),
    closedGroup: number.map((field) => tag(field, 4)),
    deepGroups: fc
      .tuple(number, fc.constantFrom(10, 150, 20_000))
      .map(([field, depth]) => joined(repeated(tag(field, 3), depth), repeated(tag(field, 4), depth))),
    hugeLength: fc
      .tuple(number, fc.constantFrom(1n, 127n, 2n ** 31n - 1n, 2n ** 31n, 2n ** 32n - 1n, 2n ** 63n, 2n ** 64n - 1n))
      .map(([field, length]) => joined(tag(field, 2), varint(length))),
    badUtf8: fc
      .tuple(number, fc.constantFrom(...badTexts))
      .map(([field, raw]) => joined(tag(field, 2), [raw.length], raw)),
    nested: fc.tuple(number, fc.constantFrom(3, 120, 2000)).map(([field, depth]) => nested(field, depth)),
    unknownField: fc
      .uint8Array({ maxLength: 50 })
      .map((raw) => joined(tag(15_000, 2), varint(BigInt(raw.length)), raw)),
    hugePacked: number.map((field) => joined(tag(field, 2), varint(60_000n), new Uint8Array(60_000).fill(1))),
    packed: packed(desc),
  };
  return fc.oneof(
    ...Object.entries(tails).map(([name, arbitrary]) => fault(name, arbitrary, (bytes, tail) => joined(bytes, tail))),
  );
}

/** A list of numbers in its packed form, with a number that does not end. */
function packed(desc: DescMessage): fc.Arbitrary<Uint8Array> {
  const lists = desc.fields.filter(
    ({ fieldKind, scalar, enum: values }) =>
      fieldKind === "list" && (values || (scalar && scalar !== ScalarType.STRING)),
  );
  const number = lists[0]?.number ?? 1000;
  return fc
    .constantFrom(100, 5000)
    .map((count) =>
      new BinaryWriter().tag(number, WireType.LengthDelimited).bytes(new Uint8Array(count).fill(0xff)).finish(),
    );
}

function nested(field: number, depth: number): Uint8Array {
  let bytes: Uint8Array = new Uint8Array(0);
  for (let level = 0; level < depth; level++) {
    bytes = new BinaryWriter().tag(field, WireType.LengthDelimited).bytes(bytes).finish();
  }
  return bytes;
}

function payload(type: number): Uint8Array {
  if (type === 1) return new Uint8Array(8).fill(7);
  if (type === 5) return new Uint8Array(4).fill(7);
  return Uint8Array.from(type === 2 ? [2, 0x61, 0x62] : [1]);
}

function varint(value: bigint): Uint8Array {
  const bytes: number[] = [];
  for (let rest = value; ; rest >>= 7n) {
    if (rest < 0x80n) return Uint8Array.from([...bytes, Number(rest)]);
    bytes.push(Number(rest & 0x7fn) | 0x80);
  }
}

function repeated(bytes: Uint8Array, count: number): Uint8Array {
  return joined(...Array.from({ length: count }, () => bytes));
}

function joined(...parts: (Uint8Array | number[])[]): Uint8Array {
  return new Uint8Array(Buffer.concat(parts.map((part) => Uint8Array.from(part))));
}
