import type { OpenApiDocument, Operation, Parameter, Reference, Response } from "../model.ts";
import { type Html, html, inline, prose } from "./html.ts";
import { fieldRow, typeView } from "./schema-view.ts";

/** An operation where it is found. */
export interface Placed {
  path: string;
  method: string;
  operation: Operation;
}

/** Everything about one call: what it takes, what it answers, and how to make it by curl. */
export function operationView({ path, method, operation }: Placed, document: OpenApiDocument): Html {
  const { operationId, summary, description } = operation;
  const access = operation.security.length > 0 ? "with an access token" : "by anybody";
  const media = operation.requestBody?.content["application/json"];
  return html`<article id="${operationId}">
<h3><span class="method ${method}">${method.toUpperCase()}</span> <code>${path}</code></h3>
${prose(description ?? (summary && `${summary}.`))}
<p class="facts">Called ${access}. By gRPC and Connect: <code>${operation["x-rpc"]}</code></p>
${parametersView(operation, document)}
${media && html`<h4>Body</h4><p>${typeView(media.schema)}</p>`}
<h4>Example</h4>${codeView(curlOf({ path, method, operation }), "Call by curl")}
${responsesView(operation, document)}
</article>`;
}

function parametersView(
  { operationId, parameters = [] }: Operation,
  { components }: OpenApiDocument,
): Html | undefined {
  if (parameters.length === 0) return undefined;
  const rows = parameters
    .map((parameter) => resolve(parameter, components.parameters))
    .map(({ name, in: place, required, description = "", schema }) =>
      fieldRow(name, { schema: { ...schema, description }, note: `${place}${required ? ", required" : ""}` }),
    );
  return html`<h4>Parameters</h4><table><caption>Parameters of ${operationId}</caption>
<thead><tr><th scope="col">Name</th><th scope="col">Value</th><th scope="col">Meaning</th></tr></thead>
<tbody>${rows}</tbody></table>`;
}

function responsesView({ operationId, responses }: Operation, { components }: OpenApiDocument): Html {
  const rows = Object.entries(responses).map(([status, response]) => {
    const { description, content } = resolve(response, components.responses);
    const [title = "", ...details] = description.split("\n\n");
    const media = status === "200" ? Object.values(content ?? {})[0] : undefined;
    return html`<tr><th scope="row">${status}</th><td>${inline(title)}${media && html` ${typeView(media.schema)}`}${prose(details.join("\n\n"))}</td></tr>`;
  });
  const example = Object.values((responses["200"] as Response | undefined)?.content ?? {})[0]?.example;
  return html`${example !== undefined && example !== null ? codeView(JSON.stringify(example, undefined, 2), "Answer") : ""}
<h4>Answers</h4><table><caption>Answers of ${operationId}</caption>
<thead><tr><th scope="col">Status</th><th scope="col">Meaning</th></tr></thead><tbody>${rows}</tbody></table>`;
}

function codeView(code: string, title: string): Html {
  // What scrolls has to be reachable by keyboard, and then needs a name.
  return html`<pre tabindex="0" role="group" aria-label="${title}"><code>${code}</code></pre>`;
}

function curlOf({ path, method, operation }: Placed): string {
  const media = operation.requestBody?.content["application/json"];
  const lines = [`curl -X ${method.toUpperCase()} "$EDGE${path.replaceAll("{", "$").replaceAll("}", "")}"`];
  if (operation.security.length > 0) lines.push('  -H "Authorization: Bearer $TOKEN"');
  if (media !== undefined) {
    const body = JSON.stringify(media.example ?? {}).replaceAll("'", "'\\''");
    lines.push("  -H 'Content-Type: application/json'", `  -d '${body}'`);
  }
  return lines.join(" \\\n");
}

function resolve<T extends Parameter | Response>(given: T | Reference, known: Record<string, T>): T {
  return "$ref" in given ? (known[given.$ref.slice(given.$ref.lastIndexOf("/") + 1)] as T) : given;
}
