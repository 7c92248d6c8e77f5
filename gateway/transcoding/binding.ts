import { type DescField, type DescMessage, type DescMethod, getOption, hasOption } from "@bufbuild/protobuf";
import { http } from "#gen/google/api/annotations_pb.js";
import type { HttpRule } from "#gen/google/api/http_pb.js";
import { HttpRuleError } from "./errors.ts";
import { resolveFieldPath } from "./field-path.ts";
import { type PathTemplate, parsePathTemplate, type Variable } from "./path-template.ts";
import { takesText } from "./text-value.ts";

export interface PathBinding extends Variable {
  /** From the request message down to the field that takes the value. */
  fields: DescField[];
}

/** One way to call an RPC by HTTP, with everything looked up that a request needs. */
export interface Binding {
  method: DescMethod;
  /** "GET" and the like; "*" for any. */
  httpMethod: string;
  template: PathTemplate;
  path: PathBinding[];
  /** The request field that the body is; "*": the body is the request; undefined: there is no body. */
  body: DescField | "*" | undefined;
  /** The response field that the answer is; undefined: the answer is the whole response. */
  responseBody: DescField | undefined;
  /** The FieldMask of the request that is filled with the body's own names when the caller gives none. */
  updateMask: DescField | undefined;
}

/** The bindings of one method; none when it has no annotation. Throws HttpRuleError. */
export function bindingsOfMethod(method: DescMethod): Binding[] {
  if (!hasOption(method, http)) return [];
  const rule = getOption(method, http);
  const nested = rule.additionalBindings.find((additional) => additional.additionalBindings.length > 0);
  if (nested) fail(method, "additional_bindings must not be nested");
  return [rule, ...rule.additionalBindings].map((each) => bindRule(method, each));
}

function bindRule(method: DescMethod, rule: HttpRule): Binding {
  const { httpMethod, path } = patternOf(method, rule);
  const template = parsePathTemplate(path);
  const body = bodyOf(method, rule.body);
  return {
    method,
    httpMethod,
    template,
    path: template.variables.map((variable) => bindVariable(method, variable)),
    body,
    responseBody: rule.responseBody ? topField(method, method.output, rule.responseBody) : undefined,
    updateMask: httpMethod === "PATCH" ? maskFor(method.input, body) : undefined,
  };
}

function patternOf(method: DescMethod, rule: HttpRule): { httpMethod: string; path: string } {
  const { pattern } = rule;
  if (pattern.case === undefined) fail(method, "the annotation has no path");
  if (pattern.case === "custom") return { httpMethod: pattern.value.kind.toUpperCase(), path: pattern.value.path };
  return { httpMethod: pattern.case.toUpperCase(), path: pattern.value };
}

function bindVariable(method: DescMethod, variable: Variable): PathBinding {
  const resolved = resolveFieldPath(method.input, variable.fieldPath);
  if ("known" in resolved) fail(method, `${variable.fieldPath} is no field of ${method.input.typeName}`);
  const leaf = resolved.fields.at(-1);
  if (!leaf || leaf.fieldKind === "list" || !takesText(leaf)) {
    fail(method, `${variable.fieldPath} must be a single value to be in the path`);
  }
  return { ...variable, fields: resolved.fields };
}

function bodyOf(method: DescMethod, body: string): Binding["body"] {
  if (body === "") return undefined;
  return body === "*" ? "*" : topField(method, method.input, body);
}

function topField(method: DescMethod, message: DescMessage, name: string): DescField {
  const field = message.fields.find((candidate) => candidate.name === name);
  return field ?? fail(method, `${name} is no field of ${message.typeName}`);
}

function maskFor(input: DescMessage, body: Binding["body"]): DescField | undefined {
  if (typeof body !== "object" || body.fieldKind !== "message") return undefined;
  const mask = input.fields.find((field) => field.name === "update_mask");
  return mask?.fieldKind === "message" && mask.message.typeName === "google.protobuf.FieldMask" ? mask : undefined;
}

function fail(method: DescMethod, what: string): never {
  throw new HttpRuleError(`google.api.http of ${method.parent.typeName}.${method.name}: ${what}`);
}
