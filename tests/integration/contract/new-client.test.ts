import { create, type DescMessage, type DescMethod, fromBinary, type Message, toBinary } from "@bufbuild/protobuf";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Code } from "#kit/errors.ts";
import type { ServiceEntry } from "#kit/grpc/service.ts";
import { bearer, startTestMesh, strangersCall, type TestMesh } from "#kit/grpc/testing.ts";
import { releasedContract } from "../../contract/baseline/released.ts";
import { brokenFields } from "../../contract/expectation.ts";
import { toMessage, validMessages } from "../../contract/generate/message.ts";
import { drawn, seedOf } from "../../contract/generate/seed.ts";
import { laneMark, resolved } from "../../contract/generate/symbols.ts";
import { nameOf, publicMethods } from "../../contract/protocols.ts";

const messagesEach = 25;
const { release, methods: released } = releasedContract();
const inBoth = released.flatMap((old) => {
  const now = publicMethods.find((method) => nameOf(method) === nameOf(old));
  return now === undefined ? [] : [{ name: nameOf(old), old, now }];
});

describe(`a client of now with a server of ${release}`, () => {
  const arrived: { method: string; request: Message }[] = [];
  let server: TestMesh;
  beforeAll(async () => {
    server = await startTestMesh(
      served(released, (method, request) => arrived.push({ method: nameOf(method), request })),
    );
  });
  afterAll(() => server.close());

  it("finds every RPC that was there", () => {
    expect(inBoth.map(({ name }) => name)).toEqual(released.map(nameOf));
  });

  it.each(inBoth.filter(({ old }) => old.methodKind === "unary"))(
    "$name: what is new is ignored",
    async ({ name, old, now }) => {
      const meanings = { mark: laneMark, meaning: () => "0190a1b2-0000-7000-8000-000000000001" };
      for (let index = 0; index < messagesEach; index++) {
        const init = drawn(validMessages(now.input), seedOf(name, index));
        const bytes = toBinary(now.input, toMessage(now.input, resolved(init, meanings)));
        const known = withoutUnknown(old.input, fromBinary(old.input, bytes));
        arrived.length = 0;
        const { code, details } = await strangersCall(server.server.port, old, {
          headers: bearer(server),
          bytes: Buffer.from(bytes),
        });
        if (brokenFields(old, known).length > 0) expect(code, details).toBe(Code.INVALID_ARGUMENT);
        else {
          expect(code, details).toBe(0);
          expect(withoutUnknown(old.input, arrived[0]?.request as Message)).toEqual(known);
        }
      }
    },
  );
});

/** Services that take note of each call and answer with nothing in particular. */
function served(methods: DescMethod[], arrive: (method: DescMethod, request: Message) => void): ServiceEntry[] {
  const services = new Set(methods.map(({ parent }) => parent));
  return [...services].map((desc) => {
    const impl = desc.methods.map((method) => [
      method.localName,
      async (request: Message) => {
        arrive(method, request);
        return create(method.output);
      },
    ]);
    return { desc, impl: Object.fromEntries(impl) };
  });
}

function withoutUnknown(desc: DescMessage, message: Message): Message {
  return fromBinary(desc, toBinary(desc, message, { writeUnknownFields: false }), { readUnknownFields: false });
}
