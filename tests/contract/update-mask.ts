import {
  create,
  type DescField,
  type DescMessage,
  type DescMethod,
  type JsonObject,
  type Message,
  toJson,
} from "@bufbuild/protobuf";
import { FieldMaskSchema } from "@bufbuild/protobuf/wkt";
import { fieldsOf, pathFields, restRulesOf } from "./drive/rest-rule.ts";
import type { JsonStyle } from "./generate/case.ts";

/** The mask of a method that REST makes by PATCH: there a body without a mask names by its own fields what to change. */
export function maskField(method: DescMethod): DescField | undefined {
  if (restRulesOf(method)[0]?.verb !== "PATCH") return undefined;
  return method.input.fields.find(({ message }) => message?.typeName === FieldMaskSchema.typeName);
}

export function hasMask(method: DescMethod, message: Message): boolean {
  const field = maskField(method);
  return field === undefined || (message as Message & Record<string, unknown>)[field.localName] !== undefined;
}

/** The same message with the mask that its REST body stands for: the fields in it, by merge patch (RFC 7396). */
export function withMaskOfBody(method: DescMethod, message: Message, style: JsonStyle): Message {
  const field = maskField(method) as DescField;
  const body = fieldsOf(method.input, restRulesOf(method)[0]?.body ?? "")[0] as DescField;
  const tree = toJson(method.input, message, { ...style, useProtoFieldName: false }) as JsonObject;
  const given = tree[body.jsonName] as JsonObject | undefined;
  if (given === undefined || body.message === undefined) return message;
  const fixed = new Set([...pathFields(method).map(({ name }) => name), "etag"]);
  const paths = pathsIn(body.message, given).filter((path) => !fixed.has(path));
  return { ...message, [field.localName]: create(FieldMaskSchema, { paths }) } as Message;
}

function pathsIn({ fields }: DescMessage, given: JsonObject): string[] {
  return Object.entries(given).flatMap(([name, value]) => {
    const field = fields.find(({ jsonName }) => jsonName === name) as DescField;
    const isMerged = field.fieldKind === "message" && !field.message.typeName.startsWith("google.protobuf.");
    if (!isMerged || value === null || Object.keys(value).length === 0) return [field.name];
    return pathsIn(field.message, value as JsonObject).map((path) => `${field.name}.${path}`);
  });
}
