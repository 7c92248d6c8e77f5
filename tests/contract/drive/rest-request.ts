import {
  type DescField,
  type DescMethod,
  type JsonObject,
  type JsonValue,
  type Message,
  toJson,
} from "@bufbuild/protobuf";
import type { JsonStyle } from "../generate/case.ts";
import { type JsonFault, withFault } from "../generate/json.ts";
import { fieldsOf, type RestRule, variable } from "./rest-rule.ts";

export interface RestRequest {
  verb: string;
  /** With the query. */
  target: string;
  body: Buffer | undefined;
}

const longest = 7000;

/**
 * The request of a message by REST; undefined when the rule cannot say it: a path has no empty or dotted segments, and
 * a query no messages that are empty.
 */
export function restRequest(
  method: DescMethod,
  rule: RestRule,
  { message, style, fault }: Content,
): RestRequest | undefined {
  const tree = toJson(method.input, message, {
    ...style,
    alwaysEmitImplicit: false,
    useProtoFieldName: false,
  }) as JsonObject;
  const path = fillPath(method, rule, tree);
  if (path === undefined) return undefined;
  const body = takeBody(method, rule, tree, { message, style });
  const query = new Map<string, string[]>();
  if (!isSaid(method.input.fields, tree) || !addParameters(query, method.input.fields, tree)) return undefined;
  if (fault) {
    if (rule.body === "") return faultyQuery(rule, path, query, fault);
    return { verb: rule.verb, target: targetOf(path, query), body: withFault(body ?? {}, fault) };
  }
  const target = targetOf(path, query);
  if (target.length > longest) return undefined;
  return { verb: rule.verb, target, body: body && Buffer.from(JSON.stringify(body)) };
}

export interface Content {
  message: Message;
  style: JsonStyle;
  fault?: JsonFault | undefined;
}

/** Takes the variables out of the tree, for what is in the path need not be elsewhere. */
function fillPath(method: DescMethod, { template }: RestRule, tree: JsonObject): string | undefined {
  let isSayable = true;
  const path = template.replaceAll(variable, (_, name: string) => {
    const fields = fieldsOf(method.input, name);
    const owner = fields
      .slice(0, -1)
      .reduce<JsonValue | undefined>((node, field) => (node as JsonObject)?.[field.jsonName], tree);
    const leaf = (fields.at(-1) as DescField).jsonName;
    const value = (owner as JsonObject | undefined)?.[leaf];
    if (typeof value !== "string" || !/^[^/\\]+$/.test(value) || value.includes("\0") || /^\.{1,2}$/.test(value))
      isSayable = false;
    else delete (owner as JsonObject)[leaf];
    return encodeURIComponent(String(value));
  });
  return isSayable && path.length < longest ? path : undefined;
}

function takeBody(
  method: DescMethod,
  rule: RestRule,
  tree: JsonObject,
  { message, style }: Content,
): JsonObject | undefined {
  if (rule.body === "") return undefined;
  const styled = toJson(method.input, message, style) as JsonObject;
  const names = [...rule.template.matchAll(variable)].map(([, name]) => fieldsOf(method.input, name as string));
  for (const fields of names) remove(styled, fields);
  if (rule.body === "*") {
    for (const name of Object.keys(tree)) delete tree[name];
    return styled;
  }
  const field = fieldsOf(method.input, rule.body)[0] as DescField;
  delete tree[field.jsonName];
  return (styled[field.jsonName] as JsonObject | undefined) ?? (styled[field.name] as JsonObject | undefined);
}

function remove(tree: JsonObject, fields: readonly DescField[]): void {
  let owner: JsonObject | undefined = tree;
  for (const field of fields.slice(0, -1))
    owner = (owner?.[field.jsonName] ?? owner?.[field.name]) as JsonObject | undefined;
  const leaf = fields.at(-1) as DescField;
  delete owner?.[leaf.jsonName];
  delete owner?.[leaf.name];
}

/** A query has no words for a message that is there and empty, nor for a list of messages or a map. */
function isSaid(fields: readonly DescField[], tree: JsonObject): boolean {
  return fields.every((field) => {
    const value = tree[field.jsonName];
    if (value === undefined) return true;
    if (field.fieldKind === "map") return Object.keys(value as object).length === 0;
    if (field.fieldKind === "list") return field.message === undefined || (value as JsonValue[]).length === 0;
    if (field.message === undefined || typeof value !== "object") return true;
    return Object.keys(value as object).length > 0 && isSaid(field.message.fields, value as JsonObject);
  });
}

function addParameters(
  query: Map<string, string[]>,
  fields: readonly DescField[],
  tree: JsonObject,
  prefix = "",
): boolean {
  for (const field of fields) {
    const value = tree[field.jsonName];
    if (value === undefined || value === null) continue;
    const name = `${prefix}${field.jsonName}`;
    if (Array.isArray(value)) query.set(name, value.map(String));
    else if (typeof value !== "object") query.set(name, [String(value)]);
    else if (field.message && !addParameters(query, field.message.fields, value, `${name}.`)) return false;
  }
  return true;
}

function targetOf(path: string, query: Map<string, string[]>): string {
  const parts = [...query].flatMap(([name, values]) =>
    values.map((value) => `${encodeURIComponent(name)}=${encodeURIComponent(value)}`),
  );
  return parts.length === 0 ? path : `${path}?${parts.join("&")}`;
}

/** The same fault in a query: an unknown name, or a text where a number is wanted. */
function faultyQuery(
  rule: RestRule,
  path: string,
  query: Map<string, string[]>,
  fault: JsonFault,
): RestRequest | undefined {
  if (fault.unknownName) query.set(fault.unknownName, ["1"]);
  else if (fault.path?.length === 1 && typeof fault.value === "string")
    query.set((fault.path[0] as DescField).jsonName, [fault.value]);
  else return undefined;
  // In a query every text is a text, and a list may have one item.
  const field = fault.path?.[0];
  if (field && (field.fieldKind === "list" || /^"?(true|false)/.test(String(fault.value)) || isInPath(rule, field)))
    return undefined;
  return { verb: rule.verb, target: targetOf(path, query), body: undefined };
}

function isInPath({ template }: RestRule, { name }: DescField): boolean {
  return [...template.matchAll(variable)].some(([, path]) => path === name);
}
