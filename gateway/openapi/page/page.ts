import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import type { OpenApiDocument, Operation } from "../model.ts";
import { Html, html, prose } from "./html.ts";
import { operationView, type Placed } from "./operation-view.ts";
import { anchor, schemaView } from "./schema-view.ts";

const style = readFileSync(new URL("page.css", import.meta.url), "utf8");
const styleHash = createHash("sha256").update(style).digest("base64");

/** The policy under which the page shows: its own style is all that it loads, and there is no script. */
export const pagePolicy = `default-src 'none'; style-src 'sha256-${styleHash}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`;

/** A page that describes every call and message of the document. */
export function docsPage(document: OpenApiDocument): string {
  const { info, tags } = document;
  const placed = operationsOf(document);
  const groups = tags.map((tag) => ({
    ...tag,
    calls: placed.filter(({ operation }) => operation.tags[0] === tag.name),
  }));
  const schemas = Object.entries(document.components.schemas);
  const page = html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${info.title} API</title>
<link rel="alternate" type="application/json" href="/openapi.json" title="OpenAPI">
<style>${new Html(style)}</style>
</head>
<body>
<a class="skip" href="#calls">Skip to the calls</a>
<header><h1>${info.title} API <small>${info.version}</small></h1>${prose(info.description)}
<p><a href="/openapi.json">The same as an OpenAPI document</a></p></header>
<nav aria-label="Calls and messages">${groups.map(
    ({ name, calls }) => html`<h2>${name}</h2><ul>${calls.map(callLink)}</ul>`,
  )}<h2>Messages</h2><ul>${schemas.map(([name]) => html`<li><a href="#${anchor(name)}">${name}</a></li>`)}</ul></nav>
<main id="calls" tabindex="-1">${groups.map(
    ({ name, description, calls }) =>
      html`<section aria-labelledby="tag-${name}"><h2 id="tag-${name}">${name}</h2>${prose(description)}${calls.map(
        (call) => operationView(call, document),
      )}</section>`,
  )}
<section aria-labelledby="messages"><h2 id="messages">Messages</h2>${schemas.map(([name, schema]) => schemaView(name, schema))}</section>
</main>
</body>
</html>
`;
  return page.text;
}

function operationsOf({ paths }: OpenApiDocument): Placed[] {
  return Object.entries(paths).flatMap(([path, item]) =>
    Object.entries(item).map(([method, operation]) => ({ path, method, operation: operation as Operation })),
  );
}

function callLink({ path, method, operation }: Placed): Html {
  const label = operation.operationId.slice(operation.operationId.indexOf("_") + 1);
  return html`<li><a href="#${operation.operationId}" title="${method.toUpperCase()} ${path}">${label}</a></li>`;
}
