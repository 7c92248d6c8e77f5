import type { DescMethod, DescService } from "@bufbuild/protobuf";
import { isExposed } from "../services.ts";
import { type Binding, bindingsOfMethod } from "../transcoding/binding.ts";
import { commentOf } from "./comments.ts";
import type { OpenApiDocument, PathItem } from "./model.ts";
import { operationOf } from "./operation.ts";
import { headerParameters, pathNames } from "./parameters.ts";
import { headers, Problems, problemSchema } from "./problems.ts";
import { Schemas } from "./schemas.ts";

const description = [
  "Tasks of people and teams, over HTTP and JSON. The same calls are served by Connect, gRPC-Web and gRPC under the names in `x-rpc`.",
  "Calls carry `Authorization: Bearer` with the access token that Register, Login or RefreshToken answered.",
  "Bodies are protobuf in JSON: names in camelCase (snake_case is accepted too), enums by name, integers of 64 bits as texts, bytes in base64. A field that is not known is refused by name.",
  "Errors are problem documents (RFC 9457): branch on `reason`, show `detail`, and quote `traceId` when you ask for help.",
  "`Prefer: wait=10` bounds the seconds that a call may take.",
].join("\n\n");

const httpMethods: ReadonlySet<string> = new Set(["get", "put", "post", "delete", "options", "head", "patch"]);

export interface DocumentOptions {
  version: string;
  /** Which RPCs are described; by default those that the edge serves. */
  serves?: (method: DescMethod) => boolean;
}

/** The OpenAPI 3.1 document of the REST bindings. Methods of HTTP that OpenAPI has no word for are left out. */
export function openApiDocument(
  services: readonly DescService[],
  { version, serves = isExposed }: DocumentOptions,
): OpenApiDocument {
  const exposed = services
    .map((service) => ({ service, bindings: service.methods.filter(serves).map(bindingsOfMethod) }))
    .filter(({ bindings }) => bindings.some((ofMethod) => ofMethod.length > 0));
  const components = { schemas: new Schemas(), problems: new Problems() };
  const paths = new Paths();
  for (const { bindings } of exposed) {
    for (const ofMethod of bindings) {
      for (const [earlier, binding] of ofMethod.entries()) {
        paths.add(binding, (names) => operationOf(binding, { names, earlier }, components));
      }
    }
  }
  return {
    openapi: "3.1.1",
    info: {
      title: "Taskmesh",
      version,
      summary: "A task service that a team hosts itself.",
      description,
      license: { name: "Apache License 2.0", identifier: "Apache-2.0" },
    },
    servers: [{ url: "/" }],
    tags: exposed.map(({ service }) => ({ name: service.name, description: commentOf(service) })),
    paths: paths.items,
    components: {
      schemas: { Problem: problemSchema, ...sorted(components.schemas.components) },
      responses: sorted(components.problems.components),
      parameters: headerParameters,
      headers,
      securitySchemes: { bearer: { type: "http", scheme: "bearer", bearerFormat: "JWT, or an API key tmk_…" } },
    },
  };
}

/** Collects the operations by path. To OpenAPI, paths that differ in the names of their variables only are one. */
class Paths {
  readonly items: Record<string, PathItem> = {};
  readonly #known = new Map<string, { path: string; names: string[] }>();

  add(binding: Binding, describe: (names: string[]) => PathItem["get"]): void {
    // A binding of every method is shown as the one that carries a body.
    const method = binding.httpMethod === "*" ? "post" : binding.httpMethod.toLowerCase();
    if (!httpMethods.has(method)) return;
    const names = pathNames(binding);
    const shape = pathOf(
      binding,
      names.map(() => ""),
    );
    const known = this.#known.get(shape) ?? { path: pathOf(binding, names), names };
    this.#known.set(shape, known);
    this.items[known.path] = { ...this.items[known.path], [method]: describe(known.names) };
  }
}

function pathOf({ template, path }: Binding, names: readonly string[]): string {
  const parts = template.segments.flatMap((segment, index) => {
    const at = path.findIndex(({ start, end = Number.POSITIVE_INFINITY }) => index >= start && index < end);
    if (at < 0) return segment.kind === "literal" ? segment.text : segment.kind;
    return path[at]?.start === index ? `{${names[at]}}` : [];
  });
  return `/${parts.join("/")}${template.verb && `:${template.verb}`}`;
}

function sorted<T>(record: Record<string, T>): Record<string, T> {
  return Object.fromEntries(Object.entries(record).sort(([first], [second]) => (first < second ? -1 : 1)));
}
