import type { DescMessage } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import { Ignore } from "#gen/buf/validate/validate_pb.js";
import type { Schema } from "./model.ts";
import { Schemas, type Use } from "./schemas.ts";
import { Label, Type, testField, testMessage } from "./testing.ts";

function schemaOf(message: DescMessage, use: Use = "request"): Schema {
  const schemas = new Schemas();
  const { $ref = "" } = schemas.message(message, { use });
  return schemas.components[$ref.slice($ref.lastIndexOf("/") + 1)] as Schema;
}

function valueSchema(type: Type, rules?: Parameters<typeof testField>[2], use: Use = "request"): Schema {
  return schemaOf(testMessage(testField("value", type, rules)), use).properties?.value as Schema;
}

const list = { label: Label.REPEATED };

describe("values in the JSON of protobuf", () => {
  it.each([
    [Type.STRING, { type: "string" }],
    [Type.BOOL, { type: "boolean" }],
    [Type.INT32, { type: "integer", format: "int32", minimum: -2147483648, maximum: 2147483647 }],
    [Type.FIXED32, { type: "integer", format: "uint32", minimum: 0, maximum: 4294967295 }],
    [Type.INT64, { type: "string", format: "int64", pattern: "^-?\\d{1,19}$" }],
    [Type.UINT64, { type: "string", format: "uint64", pattern: "^\\d{1,20}$" }],
    [Type.DOUBLE, { anyOf: [{ type: "number" }, { type: "string", enum: ["NaN", "Infinity", "-Infinity"] }] }],
  ])("describes type %i", (type, schema) => {
    expect(valueSchema(type)).toEqual(schema);
  });

  it("describes bytes as base64, times as texts, and enums by their names", () => {
    expect(valueSchema(Type.BYTES)).toMatchObject({ type: "string", contentEncoding: "base64" });
    const message = testMessage(
      testField("at", Type.MESSAGE, undefined, { typeName: ".google.protobuf.Timestamp" }),
      testField("color", Type.ENUM, undefined, { typeName: ".test.v1.Color" }),
      testField("parent", Type.MESSAGE, undefined, { typeName: ".test.v1.Subject" }),
    );
    const schemas = new Schemas();
    schemas.message(message, { use: "request" });
    expect(schemas.components["test.v1.SubjectInput"]?.properties).toEqual({
      at: { type: "string", format: "date-time" },
      color: { $ref: "#/components/schemas/test.v1.Color" },
      parent: { $ref: "#/components/schemas/test.v1.SubjectInput" },
    });
    expect(schemas.components["test.v1.Color"]?.enum).toEqual(["COLOR_UNSPECIFIED", "COLOR_RED", "COLOR_BLUE"]);
  });
});

describe("rules of buf.validate", () => {
  it.each<[string, Type, Parameters<typeof testField>[2], Schema]>([
    ["lengths", Type.STRING, { type: text({ minLen: 2n, maxLen: 9n }) }, { minLength: 2, maxLength: 9 }],
    ["one length", Type.STRING, { type: text({ len: 4n }) }, { minLength: 4, maxLength: 4 }],
    ["a pattern", Type.STRING, { type: text({ pattern: "^[a-z]+$" }) }, { pattern: "^[a-z]+$" }],
    [
      "two patterns",
      Type.STRING,
      { type: text({ prefix: "a.", suffix: "z" }) },
      { pattern: "^a\\.", allOf: [{ pattern: "z$" }] },
    ],
    ["a choice", Type.STRING, { type: text({ in: ["a", "b"] }) }, { enum: ["a", "b"] }],
    ["what is barred", Type.STRING, { type: text({ notIn: ["a"] }) }, { not: { enum: ["a"] } }],
    ["an address", Type.STRING, { type: text({ wellKnown: { case: "email", value: true } }) }, { format: "email" }],
    ["an id", Type.STRING, { type: text({ wellKnown: { case: "uuid", value: true } }) }, { format: "uuid" }],
    [
      "bounds",
      Type.INT32,
      {
        type: { case: "int32", value: { greaterThan: { case: "gte", value: 1 }, lessThan: { case: "lt", value: 9 } } },
      },
      { minimum: 1, exclusiveMaximum: 9 },
    ],
    [
      "bounds from outside",
      Type.UINT32,
      {
        type: { case: "uint32", value: { greaterThan: { case: "gt", value: 9 }, lessThan: { case: "lt", value: 5 } } },
      },
      { anyOf: [{ exclusiveMinimum: 9 }, { exclusiveMaximum: 5 }] },
    ],
    [
      "bytes, which grow by a third",
      Type.BYTES,
      { type: { case: "bytes", value: { minLen: 1n, maxLen: 524288n } } },
      { minLength: 2, maxLength: 699052 },
    ],
  ])("says %s by keywords", (_, type, rules, keywords) => {
    expect(valueSchema(type, rules)).toMatchObject(keywords);
  });

  it("says in words what JSON Schema has no keyword for", () => {
    const wide = valueSchema(Type.INT64, {
      type: { case: "int64", value: { greaterThan: { case: "gte", value: 3n } } },
    });
    expect(wide.description).toBe('Rule: gte "3".');
    const lookahead = valueSchema(Type.STRING, { type: text({ pattern: "(?i)^a" }) });
    expect(lookahead).toEqual({ type: "string", description: 'Rule: pattern "(?i)^a".' });
    const cel = valueSchema(Type.STRING, { cel: [{ id: "x", message: "must rhyme", expression: "this != ''" }] });
    expect(cel.description).toBe("Rule: must rhyme.");
  });

  it("describes lists, their items and maps", () => {
    const { properties } = schemaOf(
      testMessage(
        testField(
          "ids",
          Type.STRING,
          repeated({ maxItems: 5n, unique: true, items: { type: text({ wellKnown: { case: "uuid", value: true } }) } }),
          list,
        ),
        testField("colors", Type.ENUM, repeated({ minItems: 1n }), { ...list, typeName: ".test.v1.Color" }),
      ),
    );
    expect(properties?.ids).toEqual({
      type: "array",
      items: { type: "string", format: "uuid" },
      maxItems: 5,
      uniqueItems: true,
    });
    expect(properties?.colors).toMatchObject({ type: "array", minItems: 1 });
  });

  it("leaves out the values of an enum that are not allowed", () => {
    const message = testMessage(
      testField("color", Type.ENUM, { type: { case: "enum", value: { in: [1] } } }, { typeName: ".test.v1.Color" }),
    );
    expect(schemaOf(message).properties?.color).toEqual({ type: "string", enum: ["COLOR_RED"] });
    expect(schemaOf(message).required).toEqual(["color"]);
    expect(schemaOf(message, "answer").properties?.color).toEqual({ $ref: "#/components/schemas/test.v1.Color" });
  });

  it("lets an empty value pass where the rules ignore it, and in answers", () => {
    const uuid = { type: text({ wellKnown: { case: "uuid", value: true } }) } as const;
    const eitherWay = { type: "string", anyOf: [{ const: "" }, { format: "uuid" }] };
    expect(valueSchema(Type.STRING, { ...uuid, ignore: Ignore.IF_ZERO_VALUE })).toEqual(eitherWay);
    expect(valueSchema(Type.STRING, uuid, "answer")).toEqual(eitherWay);
    expect(valueSchema(Type.STRING, { ...uuid, ignore: Ignore.ALWAYS })).toEqual({ type: "string" });
  });
});

describe("messages", () => {
  const message = testMessage(
    testField("name", Type.STRING, { type: text({ minLen: 1n }) }),
    testField("note", Type.STRING),
    testField("color", Type.ENUM, undefined, { typeName: ".test.v1.Color" }),
    testField("owner_id", Type.STRING, undefined, { oneofIndex: 0 }),
    testField("team_id", Type.STRING, undefined, { oneofIndex: 0 }),
  );

  it("demand in requests what the rules do not let be empty, and take no more than their fields", () => {
    expect(schemaOf(message)).toMatchObject({ title: "SubjectInput", required: ["name"], additionalProperties: false });
  });

  it("have every plain field in answers, and may get more", () => {
    const schema = schemaOf(message, "answer");
    expect(schema.required).toEqual(["name", "note", "color"]);
    expect(schema).not.toHaveProperty("additionalProperties");
  });

  it("may name any field alone in a patch, and clear it by null", () => {
    const schema = schemaOf(message, "patch");
    expect(schema).not.toHaveProperty("required");
    expect(schema.properties?.note).toEqual({ type: ["string", "null"] });
    expect(schema.properties?.color).toEqual({
      anyOf: [{ $ref: "#/components/schemas/test.v1.Color" }, { type: "null" }],
    });
  });

  it("take one field of a oneof", () => {
    expect(schemaOf(message).allOf).toEqual([{ not: { required: ["ownerId", "teamId"] } }]);
  });
});

function text(value: object) {
  return { case: "string", value } as const;
}

function repeated(value: object) {
  return { type: { case: "repeated", value } } as const;
}
