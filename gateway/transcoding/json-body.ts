import { isUtf8 } from "node:buffer";
import type { DescMessage, JsonValue } from "@bufbuild/protobuf";
import { TranscodingError } from "./errors.ts";
import { clipName } from "./explain.ts";
import { findField } from "./field-path.ts";
import { countMembers, type JsonFault, scanJson } from "./json-scan.ts";

const deepest = 200;

/** What a body is decoded into: the message, or undefined when the body is a single field that is none. */
export interface BodyTarget {
  message: DescMessage | undefined;
  /** Proto path of the body within the request, "task"; empty when it is the request itself. */
  prefix: string;
}

/** Parses a body as UTF-8 JSON. Throws TranscodingError that says where the text is at fault. */
export function parseJsonBody(body: Uint8Array, target: BodyTarget): JsonValue {
  const buffer = Buffer.from(body.buffer, body.byteOffset, body.byteLength);
  if (!isUtf8(buffer)) throw invalidUtf8(buffer, target);
  const json = buffer.toString();
  let value: JsonValue;
  try {
    value = JSON.parse(json);
  } catch {
    throw malformed(json, target);
  }
  // JSON.parse keeps the last of two equal names, so a lost name shows in the counts.
  if (countMembers(json) !== countKeys(value, 0)) refuseDuplicate(json, target);
  return value;
}

function refuseDuplicate(json: string, target: BodyTarget): void {
  const fault = scanJson(json);
  if (fault?.kind === "duplicate") throw TranscodingError.field(fieldName(fault, target), "is given more than once");
}

/** Counts no deeper than any decoder goes, so that depth costs no stack; the scan that follows takes any depth. */
function countKeys(value: JsonValue, depth: number): number {
  if (typeof value !== "object" || value === null || depth > deepest) return 0;
  let keys = 0;
  if (Array.isArray(value)) {
    for (const item of value) keys += countKeys(item, depth + 1);
    return keys;
  }
  for (const name of Object.keys(value)) keys += 1 + countKeys(value[name] as JsonValue, depth + 1);
  return keys;
}

function malformed(json: string, target: BodyTarget): TranscodingError {
  const fault = scanJson(json) ?? { kind: "syntax", offset: 0, path: [] };
  if (fault.kind === "duplicate") return TranscodingError.field(fieldName(fault, target), "is given more than once");
  const before = json.slice(0, fault.offset);
  const line = before.split("\n").length;
  const column = fault.offset - before.lastIndexOf("\n");
  const where = `line ${line}, column ${column}`;
  const what =
    fault.offset >= json.length ? `the JSON ends too early (${where})` : `is not well-formed JSON (${where})`;
  return TranscodingError.field(fieldName(fault, target), what);
}

function invalidUtf8(buffer: Buffer, target: BodyTarget): TranscodingError {
  const valid = validPrefix(buffer);
  const fault = scanJson(buffer.toString(), buffer.toString("utf8", 0, valid).length);
  return TranscodingError.field(fault ? fieldName(fault, target) : "", "is not UTF-8");
}

/** Length of the longest prefix that is UTF-8, found by halving. */
function validPrefix(buffer: Buffer): number {
  let low = 0;
  let high = buffer.length;
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    if (startsValid(buffer.subarray(0, middle))) low = middle;
    else high = middle - 1;
  }
  return low;
}

function startsValid(bytes: Uint8Array): boolean {
  try {
    new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes, { stream: true });
    return true;
  } catch {
    return false;
  }
}

/** The proto path of a place in the body; names that the message lacks stay as they were written. */
function fieldName(fault: JsonFault, target: BodyTarget): string {
  let message = target.message;
  let name = target.prefix;
  for (const key of fault.path) {
    if (typeof key === "number") {
      name += `[${key}]`;
      continue;
    }
    const field = message && findField(message, key);
    name += `${name && "."}${field?.name ?? clipName(key)}`;
    message = field?.message;
  }
  return name;
}
