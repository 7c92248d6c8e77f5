import {
  type DescEnum,
  type DescField,
  type DescMessage,
  getOption,
  hasOption,
  type JsonObject,
  type ScalarType,
} from "@bufbuild/protobuf";
import { message as messageRules } from "#gen/buf/validate/validate_pb.js";
import { FieldBehavior } from "#gen/google/api/field_behavior_pb.js";
import { commentOf } from "./comments.ts";
import { exampleOf, examplesOf } from "./examples.ts";
import type { Schema } from "./model.ts";
import { behaviorsOf, isDemanded, isPlain, namesAllowed } from "./presence.ts";
import { type Rules, rulesOf } from "./rules.ts";
import { type Constrained, constrained, nullable, scalarSchema, wellKnownSchema, zeroOf } from "./value-schema.ts";

/**
 * What a message is used for. Answers always carry their plain fields, zeros included. Requests are held to the rules.
 * A patch may name any field alone, and clear it by null (RFC 7396).
 */
export type Use = "answer" | "request" | "patch";

export interface Shape {
  use: Use;
  /** Fields that are given elsewhere: by the path. */
  without?: readonly DescField[];
}

/** Collects the schemas of messages and enums that are referred to. */
export class Schemas {
  readonly components: Record<string, Schema> = {};
  readonly #names = new Map<string, string>();

  /** A schema of a message: a reference into the components, unless JSON has a form of its own for it. */
  message(message: DescMessage, shape: Shape): Schema {
    return wellKnownSchema(message) ?? this.#component(message, shape);
  }

  /** The schema of a field's value, described. */
  field(field: DescField, use: Use): Schema {
    // A value within a patch replaces the one that was there, so that it has to be whole.
    return use === "patch" ? nullable(this.field(field, "request")) : this.#described(field, rulesOf(field), use);
  }

  /** The same for a value that is never left out, as in a path. */
  present(field: DescField): Schema {
    return this.#described(field, { ...rulesOf(field), ignore: undefined }, "request");
  }

  #described(field: DescField, rules: Rules, use: Use): Schema {
    const { schema, notes } = this.#value(field, rules, use);
    const description = [commentOf(field), ...notes.map((note) => `Rule: ${note}.`)].filter(Boolean).join(" ");
    const described: Schema = description === "" ? schema : { description, ...schema };
    const [example] = examplesOf(field);
    if (example !== undefined) described.examples = [example];
    for (const [behavior, keyword] of behaviorKeywords) {
      if (behaviorsOf(field).includes(behavior)) described[keyword] = true;
    }
    return described;
  }

  /** The fields that a request is refused without, and those that an answer is never without. */
  required(message: DescMessage, use: Use): Set<DescField> {
    if (use === "patch") return new Set();
    if (use === "answer") return new Set(message.fields.filter(isPlain));
    return new Set(message.fields.filter(isDemanded));
  }

  /** An example of a message; undefined when JSON has a form of its own for it, or when it is within itself. */
  example(message: DescMessage, use: Use, above: readonly DescMessage[] = []): JsonObject | undefined {
    if (wellKnownSchema(message) || above.includes(message)) return undefined;
    const component = componentName(message, use);
    const shown = { message, component, required: this.required(message, use), isAnswer: use === "answer" };
    const nested = use === "patch" ? "request" : use;
    return exampleOf(shown, (inner) => this.example(inner, nested, [...above, message]));
  }

  #component(message: DescMessage, shape: Shape): Schema {
    const without = (shape.without ?? []).filter((field) => field.parent === message);
    const key = [message.typeName, shape.use, ...without.map(({ name }) => name).sort()].join(" ");
    let name = this.#names.get(key);
    if (name === undefined) {
      name = this.#freeName(componentName(message, shape.use));
      this.#names.set(key, name);
      this.components[name] = {};
      this.components[name] = {
        title: name.slice(name.lastIndexOf(".") + 1),
        ...this.#object(message, shape.use, without),
      };
    }
    return { $ref: `#/components/schemas/${name}` };
  }

  #freeName(wanted: string): string {
    let name = wanted;
    for (let count = 2; name in this.components; count++) name = `${wanted}${count}`;
    return name;
  }

  #object(message: DescMessage, use: Use, without: readonly DescField[]): Schema {
    const fields = message.fields.filter((field) => !without.includes(field));
    const schema: Schema = { type: "object" };
    const notes = messageNotes(message);
    const description = [commentOf(message), ...notes].filter(Boolean).join(" ");
    if (description !== "") schema.description = description;
    schema.properties = Object.fromEntries(fields.map((field) => [field.jsonName, this.field(field, use)]));
    const required = this.required(message, use);
    const names = fields.filter((field) => required.has(field)).map(({ jsonName }) => jsonName);
    if (names.length > 0) schema.required = names;
    if (use !== "answer") schema.additionalProperties = false;
    const exclusions = message.oneofs.flatMap(({ fields }) => pairs(fields.map(({ jsonName }) => jsonName)));
    if (exclusions.length > 0) schema.allOf = exclusions.map((pair) => ({ not: { required: pair } }));
    return schema;
  }

  #value(field: DescField, rules: Rules, use: Use): Constrained {
    if (field.fieldKind === "list") return this.#list(field, rules, use);
    if (field.fieldKind === "map") return this.#map(field, rules, use);
    const isFree = use === "answer" || (rules.ignore === "IGNORE_IF_ZERO_VALUE" && isPlain(field));
    return this.#single(field, { rules, use, zero: isFree ? zeroOf(field) : undefined });
  }

  #single(
    field: DescField,
    { rules, use, zero }: { rules: Rules; use: Use; zero?: string | number | boolean },
  ): Constrained {
    if (field.enum) return { schema: this.#enum(field.enum, use === "answer" ? {} : rules), notes: [] };
    if (field.message) return { schema: this.message(field.message, { use }), notes: [] };
    return constrained(scalarSchema(field.scalar as ScalarType), rules, zero);
  }

  #list(field: DescField, { repeated = {} }: Rules, use: Use): Constrained {
    const { schema: items, notes } = this.#single(field, { rules: repeated.items ?? {}, use });
    const schema: Schema = { type: "array", items };
    if (repeated.minItems && use !== "answer") schema.minItems = Number(repeated.minItems);
    if (repeated.maxItems) schema.maxItems = Number(repeated.maxItems);
    if (repeated.unique) schema.uniqueItems = true;
    return { schema, notes };
  }

  #map(field: DescField, { map = {} }: Rules, use: Use): Constrained {
    const { schema: values, notes } = this.#single(field, { rules: map.values ?? {}, use });
    const schema: Schema = { type: "object", additionalProperties: values };
    if (map.keys) schema.propertyNames = constrained({ type: "string" }, map.keys, undefined).schema;
    if (map.minPairs && use !== "answer") schema.minProperties = Number(map.minPairs);
    if (map.maxPairs) schema.maxProperties = Number(map.maxPairs);
    return { schema, notes };
  }

  /** A reference to the enum, or its names spelled out when the rules leave only some of them. */
  #enum(desc: DescEnum, rules: Rules): Schema {
    const names = namesAllowed(desc, rules);
    if (names.length < desc.values.length) return { type: "string", enum: names };
    if (!this.#names.has(desc.typeName)) {
      const name = this.#freeName(desc.typeName);
      this.#names.set(desc.typeName, name);
      this.components[name] = { type: "string", title: desc.name, description: enumDescription(desc), enum: names };
    }
    return { $ref: `#/components/schemas/${this.#names.get(desc.typeName)}` };
  }
}

const behaviorKeywords = [
  [FieldBehavior.OUTPUT_ONLY, "readOnly"],
  [FieldBehavior.INPUT_ONLY, "writeOnly"],
] as const;

function componentName(message: DescMessage, use: Use): string {
  if (use === "answer" || message.name.endsWith("Request")) return message.typeName;
  return `${message.typeName}${use === "patch" ? "Patch" : "Input"}`;
}

function messageNotes(message: DescMessage): string[] {
  if (!hasOption(message, messageRules)) return [];
  const { cel, celExpression, oneof } = getOption(message, messageRules);
  const either = oneof.map(
    ({ fields, required }) => `${required ? "exactly" : "at most"} one of ${fields.join(", ")} is given`,
  );
  const said = [...cel.map((rule) => rule.message || rule.expression), ...celExpression, ...either];
  return said.map((rule) => `Rule: ${rule}.`);
}

function enumDescription(desc: DescEnum): string {
  const values = desc.values.map((value) => {
    const comment = commentOf(value);
    return comment === undefined ? undefined : `- \`${value.name}\`: ${comment}`;
  });
  return [commentOf(desc), values.filter(Boolean).join("\n")].filter(Boolean).join("\n\n");
}

function pairs(names: string[]): string[][] {
  return names.flatMap((first, index) => names.slice(index + 1).map((second) => [first, second]));
}
