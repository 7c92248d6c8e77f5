import { type DescMethod, type DescService, getOption, hasOption } from "@bufbuild/protobuf";
import { MethodOptions_IdempotencyLevel } from "@bufbuild/protobuf/wkt";
import { describe, expect, it } from "vitest";
import { field as rulesOf } from "#gen/buf/validate/validate_pb.js";
import { Access, policy } from "#gen/mesh/v1/options_pb.js";
import { repositoryFiles } from "./sources.ts";

const protos = repositoryFiles().filter((path) => /^proto\/(?!vendor\/)[^/]+\/v\d+\/[^/]+\.proto$/.test(path));
const generated = (path: string) => path.replace("proto/", "../../proto/gen/").replace(".proto", "_pb.js");
const modules: object[] = await Promise.all(
  protos.map((path) => import(/* @vite-ignore */ new URL(generated(path), import.meta.url).href)),
);
const services = modules.flatMap((module) => Object.values(module)).filter(isService);
const writes = services
  .flatMap(({ methods }) => methods)
  .filter(
    (method) =>
      getOption(method, policy).access !== Access.INTERNAL &&
      method.idempotency !== MethodOptions_IdempotencyLevel.NO_SIDE_EFFECTS,
  );

function isService(value: unknown): value is DescService {
  return (value as DescService).kind === "service";
}

const nameOf = ({ parent, name }: DescMethod) => `${parent.typeName}/${name}`;

it("there are writes in every service", () => {
  expect(new Set(writes.map(({ parent }) => parent.typeName)).size).toBe(services.length);
});

describe.each(writes.map((method) => [nameOf(method), method] as const))("%s", (_name, method) => {
  it("takes an Idempotency-Key, and a request_id as well", () => {
    expect(method.methodKind).toBe("unary");
    expect(getOption(method, policy).idempotencyKey).toBe(true);
    const requestId = method.input.fields.find(({ name }) => name === "request_id");
    if (requestId === undefined) throw new Error(`${method.input.typeName} has no request_id`);
    expect(requestId.fieldKind === "scalar" && hasOption(requestId, rulesOf)).toBe(true);
    expect(getOption(requestId, rulesOf).type).toMatchObject({
      case: "string",
      value: { wellKnown: { case: "uuid", value: true } },
    });
  });
});
