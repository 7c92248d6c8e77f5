import { type DescField, type DescMessage, fromJson, type JsonValue } from "@bufbuild/protobuf";
import type { FieldFault } from "./errors.ts";
import { findField, hasOwnJsonForm } from "./field-path.ts";
import { expectation, valueExpectation } from "./text-value.ts";

const maximumFaults = 20;
const maximumDepth = 100;
const longestName = 80;

type JsonObject = { [name: string]: JsonValue };

/** A name out of a request, short enough to be repeated in an answer. */
export function clipName(name: string): string {
  return name.length > longestName ? `${name.slice(0, longestName)}…` : name;
}

/**
 * Says why the decoder refused a JSON value: every fault with its field.
 * Single values are tried with the decoder itself, so that the two never disagree.
 */
export function explainFaults(message: DescMessage, json: JsonValue): FieldFault[] {
  const faults: FieldFault[] = [];
  explainMessage(message, json, { path: "", depth: 1, faults });
  return faults.slice(0, maximumFaults);
}

interface Place {
  path: string;
  depth: number;
  faults: FieldFault[];
}

function explainMessage(message: DescMessage, json: JsonValue, place: Place): void {
  if (place.depth > maximumDepth) add(place, "is nested too deeply");
  else if (isObject(json)) explainMembers(message, json, place);
  else add(place, "must be an object");
}

function explainMembers(message: DescMessage, json: JsonObject, place: Place): void {
  const seen = new Set<string>();
  for (const [name, value] of Object.entries(json)) {
    if (place.faults.length >= maximumFaults) return;
    const field = findField(message, name);
    const inside = { ...place, path: join(place.path, field?.name ?? clipName(name)) };
    if (field === undefined) add(inside, "is not a known field");
    else if (seen.has(field.name)) add(inside, "is given more than once");
    else if (clashes(field, value, seen)) add(inside, `excludes another field of ${field.oneof?.name}`);
    else explainField(field, value, inside);
    if (field) seen.add(field.name);
  }
}

/** Notes the oneof of a field; true when another of its fields was given before. */
function clashes(field: DescField, value: JsonValue, seen: Set<string>): boolean {
  if (field.oneof === undefined || value === null) return false;
  const group = `oneof ${field.oneof.name}`;
  if (seen.has(group)) return true;
  seen.add(group);
  return false;
}

function explainField(field: DescField, value: JsonValue, place: Place): void {
  const structured = hasMembers(field);
  // A null clears the field, whatever its type.
  if (structured ? value === null : decodes(field, value)) return;
  if (field.fieldKind === "list") explainList(field, value, place);
  else if (field.fieldKind === "map") explainMap(field, value, place);
  else if (structured) explainMessage(field.message, value, deeper(place));
  else add(place, `must be ${expectation(field)}`);
}

function explainList(field: DescField, value: JsonValue, place: Place): void {
  if (!Array.isArray(value)) add(place, "must be an array");
  else explainElements(field, [...value.entries()], place);
}

function explainMap(field: DescField, value: JsonValue, place: Place): void {
  if (isObject(value)) explainElements(field, Object.entries(value), place);
  else add(place, "must be an object");
}

type Element = [key: string | number, value: JsonValue];

function explainElements(field: DescField, elements: Element[], place: Place): void {
  const before = place.faults.length;
  const structured = hasMembers(field);
  if (structured) {
    for (const element of elements) explainMessageElement(field, element, place);
  } else {
    explainHalves(field, elements, place);
  }
  if (place.faults.length > before || field.fieldKind !== "map") return;
  // Each is good by itself, so that it can only be the same key in two spellings.
  const bare: Element[] = structured ? elements.map(([key]) => [key, {}]) : elements;
  if (!decodes(field, only(field, bare))) add(place, "has a key twice");
}

/** Finds the elements that are refused by halving, for there may be very many that are good. */
function explainHalves(field: DescField, elements: Element[], place: Place): void {
  const [first] = elements;
  if (first === undefined || place.faults.length >= maximumFaults || decodes(field, only(field, elements))) return;
  if (elements.length > 1) {
    const middle = elements.length >> 1;
    explainHalves(field, elements.slice(0, middle), place);
    explainHalves(field, elements.slice(middle), place);
    return;
  }
  const [key, value] = first;
  const suffix = field.fieldKind === "map" ? ", under a key of its type" : "";
  add(inside(place, key), value === null ? "must not be null" : `must be ${valueExpectation(field)}${suffix}`);
}

function explainMessageElement(field: DescField & { message: DescMessage }, [key, value]: Element, place: Place): void {
  const at = inside(place, key);
  if (place.faults.length >= maximumFaults) return;
  if (field.fieldKind === "map" && !decodes(field, { [key]: {} })) add(at, "has a key of another type");
  else if (value === null) add(at, "must not be null");
  else explainMessage(field.message, value, deeper(at));
}

/** A list or map of nothing but these elements. */
function only(field: DescField, elements: Element[]): JsonValue {
  return field.fieldKind === "map" ? Object.fromEntries(elements) : elements.map(([, value]) => value);
}

function inside(place: Place, key: string | number): Place {
  return { ...place, path: `${place.path}[${typeof key === "number" ? key : JSON.stringify(clipName(key))}]` };
}

/** Whether values are objects of a message's own fields. */
function hasMembers(field: DescField): field is DescField & { message: DescMessage } {
  return field.message !== undefined && !hasOwnJsonForm(field.message);
}

function decodes(field: DescField, value: JsonValue): boolean {
  try {
    fromJson(field.parent as DescMessage, { [field.jsonName]: value });
    return true;
  } catch {
    return false;
  }
}

function isObject(json: JsonValue): json is JsonObject {
  return typeof json === "object" && json !== null && !Array.isArray(json);
}

function deeper(place: Place): Place {
  return { ...place, depth: place.depth + 1 };
}

function join(path: string, name: string): string {
  return path === "" ? name : `${path}.${name}`;
}

function add({ faults, path }: Place, description: string): void {
  faults.push({ field: path, description });
}
