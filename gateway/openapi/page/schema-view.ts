import type { Schema } from "../model.ts";
import { type Html, html, inline, prose } from "./html.ts";

const components = "#/components/schemas/";

/** The place on the page where a component is described. */
export function anchor(component: string): string {
  return `schema-${component}`;
}

/** A component with all its fields. */
export function schemaView(name: string, schema: Schema): Html {
  const title = html`<h3>${name}</h3>`;
  return html`<article id="${anchor(name)}">${title}${prose(schema.description)}${
    schema.properties ? propertiesView(name, schema) : html`<p>${typeView(schema)}</p>`
  }</article>`;
}

function propertiesView(name: string, { properties = {}, required = [] }: Schema): Html {
  const rows = Object.entries(properties).map(([field, schema]) =>
    fieldRow(field, { schema, note: required.includes(field) ? "always there" : "" }),
  );
  if (rows.length === 0) return html`<p>It has no fields.</p>`;
  return html`<table><caption>Fields of ${name}</caption>
<thead><tr><th scope="col">Field</th><th scope="col">Value</th><th scope="col">Meaning</th></tr></thead>
<tbody>${rows}</tbody></table>`;
}

/** A row of a table of fields or parameters. */
export function fieldRow(name: string, { schema, note }: { schema: Schema; note: string }): Html {
  return html`<tr><th scope="row"><code>${name}</code>${note && html`<span class="note">${note}</span>`}</th>
<td>${typeView(schema)}</td><td>${inline(schema.description ?? "")}</td></tr>`;
}

/** What a value is, in a few words with links to the components that it is made of. */
export function typeView(schema: Schema): Html {
  const { $ref, anyOf, enum: names, type } = schema;
  if ($ref !== undefined) return link($ref);
  if (Array.isArray(names))
    return html`one of ${names.map((name, index) => html`${index > 0 ? ", " : ""}<code>${String(name)}</code>`)}`;
  if (anyOf !== undefined)
    return html`${anyOf.map((part, index) => html`${index > 0 ? " or " : ""}${typeView(part)}`)}`;
  if (schema.const !== undefined)
    return schema.const === "" ? html`empty` : html`<code>${JSON.stringify(schema.const)}</code>`;
  if ([type].flat().includes("array")) {
    const orNull = Array.isArray(type) ? " or null" : "";
    return html`list of ${typeView((schema.items ?? {}) as Schema)}${limits(schema)}${orNull}`;
  }
  if (type === "object" && schema.additionalProperties) {
    return html`object whose values are ${typeView(schema.additionalProperties as Schema)}`;
  }
  return html`${typeWords(schema)}${limits(schema)}`;
}

function link(reference: string): Html {
  const name = reference.slice(components.length);
  return html`<a href="#${anchor(name)}">${name.slice(name.lastIndexOf(".") + 1)}</a>`;
}

function typeWords({ type, format, contentEncoding }: Schema): string {
  const words = [type ?? []].flat().join(" or ") || (format === undefined ? "anything" : "");
  return [words, format ?? contentEncoding].filter(Boolean).join(", ");
}

const limitWords: Record<string, string> = {
  minLength: "at least {} characters",
  maxLength: "at most {} characters",
  minItems: "at least {} items",
  maxItems: "at most {} items",
  minimum: "from {}",
  maximum: "to {}",
  exclusiveMinimum: "above {}",
  exclusiveMaximum: "below {}",
  pattern: "as {}",
};

function limits(schema: Schema): Html {
  const given = Object.entries(limitWords).flatMap(([keyword, words]) => {
    const value = schema[keyword];
    if (value === undefined) return [];
    const [before, after] = words.split("{}");
    return [html`, ${before}<code>${String(value)}</code>${after}`];
  });
  return html`${given}${schema.uniqueItems ? ", no two alike" : ""}`;
}
