import { create, createFileRegistry, type DescMethod, type MessageInitShape, setExtension } from "@bufbuild/protobuf";
import {
  FileDescriptorProtoSchema,
  FileDescriptorSetSchema,
  FieldDescriptorProto_Label as Label,
  MethodOptionsSchema,
  FieldDescriptorProto_Type as Type,
} from "@bufbuild/protobuf/wkt";
import { expect, test } from "vitest";
import { http } from "#gen/google/api/annotations_pb.js";
import { HttpRuleSchema } from "#gen/google/api/http_pb.js";
import { bindingsOfMethod } from "./binding.ts";
import { HttpRuleError } from "./errors.ts";
import { Transcoder } from "./transcoder.ts";

type Rule = MessageInitShape<typeof HttpRuleSchema>;

/** A method of In { id, names, sub { id } } and Out { text } with the annotation. */
function method(...rules: Rule[]): DescMethod[] {
  const text = { number: 1, label: Label.OPTIONAL, type: Type.STRING };
  const file = create(FileDescriptorProtoSchema, {
    name: "t.proto",
    package: "t",
    syntax: "proto3",
    messageType: [
      {
        name: "In",
        field: [
          { ...text, name: "id" },
          { name: "names", number: 2, label: Label.REPEATED, type: Type.STRING },
          { name: "sub", number: 3, label: Label.OPTIONAL, type: Type.MESSAGE, typeName: ".t.Out" },
        ],
      },
      { name: "Out", field: [{ ...text, name: "text" }] },
    ],
    service: [
      {
        name: "S",
        method: rules.map((rule, index) => {
          const options = create(MethodOptionsSchema);
          setExtension(options, http, create(HttpRuleSchema, rule));
          return { name: `M${index}`, inputType: ".t.In", outputType: ".t.Out", options };
        }),
      },
    ],
  });
  return createFileRegistry(create(FileDescriptorSetSchema, { file: [file] })).getService("t.S")?.methods ?? [];
}

const get = (value: string) => create(HttpRuleSchema, { pattern: { case: "get", value } });

test.each<[string, Rule]>([
  ["without a path", {}],
  ["with a variable that is no field", get("/v1/{nothing}")],
  ["with a variable that is a list", get("/v1/{names}")],
  ["with a variable that is a message", get("/v1/{sub}")],
  ["with a variable inside a single value", get("/v1/{id.text}")],
  ["with a body that is no field", { pattern: { case: "post", value: "/v1/x" }, body: "nothing" }],
  ["with a body that is a path", { pattern: { case: "post", value: "/v1/x" }, body: "sub.text" }],
  ["with a response_body that is no field", { ...get("/v1/x"), responseBody: "id" }],
  [
    "nested",
    {
      ...get("/v1/x"),
      additionalBindings: [create(HttpRuleSchema, { ...get("/v1/y"), additionalBindings: [get("/v1/z")] })],
    },
  ],
])("an annotation %s is refused when the routes are built", (_what, rule) => {
  const [only] = method(rule);
  expect(() => only && bindingsOfMethod(only)).toThrow(HttpRuleError);
});

test("two methods cannot have one path", () => {
  expect(() => new Transcoder(method(get("/v1/{id}"), get("/v1/{sub.text}")))).toThrow(/\/v1\/\{sub\.text\}/);
});
