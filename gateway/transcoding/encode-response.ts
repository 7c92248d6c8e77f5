import { create, type DescField, type JsonObject, type JsonValue, type Message, toJson } from "@bufbuild/protobuf";
import type { Binding } from "./binding.ts";
import { hasOwnJsonForm } from "./field-path.ts";

/**
 * Fields without presence are always written, lists and zeros included: a client reads `unreadCount: 0` and
 * `tasks: []` without having to know proto3 defaults. Fields with presence are left out while they are unset.
 */
export const jsonWriteOptions = { alwaysEmitImplicit: true } as const;

/** The JSON text of a response: the message, or the field of it that `response_body` names. */
export function encodeResponse({ method, responseBody }: Binding, response: Message): string {
  if (responseBody === undefined) return JSON.stringify(toJson(method.output, response, jsonWriteOptions));
  if (responseBody.fieldKind === "message" && !hasOwnJsonForm(responseBody.message)) {
    return JSON.stringify(nested(responseBody, response));
  }
  const whole = toJson(method.output, response, jsonWriteOptions) as JsonObject;
  return JSON.stringify(whole[responseBody.jsonName] ?? null);
}

function nested(field: DescField & { fieldKind: "message" }, response: Message): JsonValue {
  const holder = response as Message & Record<string, unknown>;
  const oneof = field.oneof && (holder[field.oneof.localName] as { case?: string; value?: unknown });
  const value = oneof ? (oneof.case === field.localName ? oneof.value : undefined) : holder[field.localName];
  return toJson(field.message, (value ?? create(field.message)) as Message, jsonWriteOptions);
}
