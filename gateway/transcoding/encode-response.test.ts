import { create, type JsonValue, type Message } from "@bufbuild/protobuf";
import { expect, test } from "vitest";
import { compileTestProtos } from "./testdata/descriptors.ts";
import { Transcoder } from "./transcoder.ts";

const protos = compileTestProtos();
const transcoder = new Transcoder(protos.service.methods);
const responseType = protos.message("PutEveryResponse");

function encode(method: string, path: string, response: Record<string, unknown>): JsonValue {
  const route = transcoder.route(method, path);
  if (route.kind !== "found") throw new Error("no route");
  return JSON.parse(transcoder.encode(route.binding, create(responseType, response) as Message));
}

test("the whole response, with zeros and empty lists and without unset messages", () => {
  expect(encode("GET", "/v1/every", {})).toEqual({ texts: [], count: 0 });
  expect(encode("GET", "/v1/every", { texts: ["a"], count: 3 })).toEqual({ texts: ["a"], count: 3 });
});

test("response_body: a message, also when it is unset", () => {
  const every = { text: "a", longValue: 7n, maybe: 0, choice: { case: "right", value: 0 }, counts: { x: 1 } };
  expect(encode("PUT", "/v1/every/a", { every })).toMatchObject({
    text: "a",
    yes: false,
    longValue: "7",
    colour: "COLOUR_UNSPECIFIED",
    names: [],
    counts: { x: 1 },
    right: 0,
    maybe: 0,
  });
  const unset = encode("PUT", "/v1/every/a", {}) as object;
  expect(Object.keys(unset)).not.toContain("at");
  expect(Object.keys(unset)).not.toContain("left");
  expect(Object.keys(unset)).not.toContain("maybe");
  expect(unset).toMatchObject({ text: "", names: [] });
});

test("response_body: a list and a single value", () => {
  expect(encode("POST", "/v1/every:texts", { texts: ["a", "b"] })).toEqual(["a", "b"]);
  expect(encode("POST", "/v1/every:texts", {})).toEqual([]);
  expect(encode("GET", "/v1/every/count/1", { count: 5 })).toBe(5);
});
