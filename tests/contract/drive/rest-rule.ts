import { type DescField, type DescMessage, type DescMethod, getOption, hasOption } from "@bufbuild/protobuf";
import { http } from "#gen/google/api/annotations_pb.js";
import type { HttpRule } from "#gen/google/api/http_pb.js";

/** One way to make a call by REST, read from google.api.http without the gateway's own reading of it. */
export interface RestRule {
  verb: string;
  /** "/v1/tasks/{task_id}:complete" */
  template: string;
  /** "*", the name of a field, or "" for none. */
  body: string;
  responseBody: string;
}

/** Every binding of a method, the first one first. */
export function restRulesOf(method: DescMethod): RestRule[] {
  if (!hasOption(method, http)) return [];
  const rule = getOption(method, http);
  return [rule, ...rule.additionalBindings].flatMap((binding) => readRule(binding));
}

function readRule({ pattern, body, responseBody }: HttpRule): RestRule[] {
  if (pattern.case === undefined) return [];
  const isCustom = pattern.case === "custom";
  const verb = isCustom ? pattern.value.kind : pattern.case.toUpperCase();
  return [{ verb, template: isCustom ? pattern.value.path : pattern.value, body, responseBody }];
}

export const variable = /\{([^}=]+)(?:=[^}]*)?\}/g;

/** The fields that a path of the method gives. */
export function pathFields(method: DescMethod): DescField[] {
  const names = restRulesOf(method).flatMap(({ template }) =>
    [...template.matchAll(variable)].map(([, name]) => name as string),
  );
  return names.map((name) => fieldsOf(method.input, name).at(-1) as DescField);
}

/** The fields that a variable of the template leads through: "task.task_id" → [task, task_id]. */
export function fieldsOf(message: DescMessage, path: string): DescField[] {
  const fields: DescField[] = [];
  let owner: DescMessage | undefined = message;
  for (const name of path.split(".")) {
    const field: DescField | undefined = owner?.fields.find((one) => one.name === name);
    if (field === undefined) throw new Error(`${message.typeName} has no ${path}`);
    fields.push(field);
    owner = field.message;
  }
  return fields;
}

/** What the body of the first binding is a message of; the whole request where there is none. */
export function bodyDesc(method: DescMethod): DescMessage {
  const body = restRulesOf(method)[0]?.body ?? "";
  if (body === "" || body === "*") return method.input;
  return method.input.fields.find(({ name }) => name === body)?.message ?? method.input;
}
