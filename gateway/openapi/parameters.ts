import type { DescField, DescMessage } from "@bufbuild/protobuf";
import { policyOf } from "#kit/grpc/policy.ts";
import { etagPlace } from "#kit/grpc/precondition.ts";
import type { Binding } from "../transcoding/binding.ts";
import { takesText } from "../transcoding/text-value.ts";
import type { Parameter, Reference } from "./model.ts";
import type { Schemas } from "./schemas.ts";
import { isStream, lastEventId } from "./streams.ts";

const ifMatchPattern = '^(?:\\*|(?:W/)?"[\\x21\\x23-\\x7e]*"(?: *, *(?:W/)?"[\\x21\\x23-\\x7e]*")*)$';

/** Parameters that many operations take, by their name among the components. */
export const headerParameters: Record<string, Parameter> = {
  LastEventId: lastEventId,
  IdempotencyKey: {
    name: "Idempotency-Key",
    in: "header",
    description:
      "Chosen by the client for each write: the same key again answers as the first call did, for 24 hours, so that a call whose answer was lost can be repeated.",
    schema: { type: "string", minLength: 1, maxLength: 255, pattern: "^[\\x21-\\x7e]+$" },
  },
  IfNoneMatch: {
    name: "If-None-Match",
    in: "header",
    description: "The ETag of what the client has: while it is the same still, the answer is 304 without a body.",
    schema: { type: "string", examples: ['"2"'] },
  },
  IfMatch: {
    name: "If-Match",
    in: "header",
    description:
      "The ETag of what the client has seen, several between commas, or `*`: when the resource has changed since, nothing is done and the answer is 412.",
    schema: { type: "string", pattern: ifMatchPattern, examples: ['"2"'] },
  },
};

/** The names of the path's variables in their order, such as "taskId" for {task.task_id}. */
export function pathNames({ path }: Binding): string[] {
  const leaves = path.map(({ fields }) => (fields.at(-1) as DescField).jsonName);
  return path.map(({ fields }, index) => {
    const leaf = leaves[index] as string;
    return leaves.indexOf(leaf) === index ? leaf : fields.map(({ jsonName }) => jsonName).join(".");
  });
}

/** The parameters of a binding; its path variables are called `names`. */
export function parametersOf(binding: Binding, names: readonly string[], schemas: Schemas): (Parameter | Reference)[] {
  const { method } = binding;
  const parameters: (Parameter | Reference)[] = [
    ...names.map((name, index) => pathParameter(binding, index, { name, schemas })),
    ...queryParameters(binding, schemas),
  ];
  if (policyOf(method)?.idempotencyKey) parameters.push({ $ref: "#/components/parameters/IdempotencyKey" });
  if (takesIfMatch(binding)) parameters.push({ $ref: "#/components/parameters/IfMatch" });
  if (isStream(binding)) parameters.push({ $ref: "#/components/parameters/LastEventId" });
  if (isTaggedRead(binding)) parameters.push({ $ref: "#/components/parameters/IfNoneMatch" });
  return parameters;
}

/** What a successful call is about: the message that the answer is. */
export function resourceOf({ method, responseBody }: Binding): DescMessage | undefined {
  return responseBody === undefined ? method.output : responseBody.message;
}

/** Whether a call reads a resource that has a version. */
export function isTaggedRead(binding: Binding): boolean {
  return binding.httpMethod === "GET" && hasEtag(resourceOf(binding));
}

export function hasEtag(message: DescMessage | undefined): boolean {
  return message?.fields.some(({ name }) => name === "etag") ?? false;
}

/** Whether a call changes a resource that is there already, of a version that the client may have seen. */
export function takesIfMatch({ method }: Binding): boolean {
  return etagPlace(method).length > 0;
}

function pathParameter(
  { path, template }: Binding,
  index: number,
  { name, schemas }: { name: string; schemas: Schemas },
): Parameter {
  const { fields, start, end, multiple } = path[index] as Binding["path"][number];
  const { description, ...schema } = schemas.present(fields.at(-1) as DescField);
  if (multiple) {
    const parts = template.segments.slice(start, end);
    schema.pattern = `^${parts.map((part) => (part.kind === "literal" ? part.text : patterns[part.kind])).join("/")}$`;
  }
  return { name, in: "path", required: true, description, schema };
}

const patterns = { "*": "[^/]+", "**": ".*" };

function queryParameters(binding: Binding, schemas: Schemas): Parameter[] {
  if (binding.body === "*") return [];
  return fieldsInQuery(binding, binding.method.input, []).map((fields) => {
    const leaf = fields.at(-1) as DescField;
    const { description, ...schema } = schemas.field(leaf, "request");
    const name = fields.map(({ jsonName }) => jsonName).join(".");
    const required = fields.length === 1 && schemas.required(binding.method.input, "request").has(leaf);
    return { name, in: "query", ...(required ? { required } : {}), description, schema };
  });
}

/** The ways down to every field that a query can give: those that neither the path nor the body does. */
function fieldsInQuery(binding: Binding, message: DescMessage, above: DescField[]): DescField[][] {
  return message.fields.flatMap((field) => {
    const fields = [...above, field];
    const isInPath = binding.path.some((path) => path.fields.every((each, index) => each === fields[index]));
    if (field === binding.body || isInPath) return [];
    if (takesText(field)) return [fields];
    // A message within itself has no end; its first level is documented.
    const isNew = !above.some((upper) => upper.message === field.message) && field.message !== binding.method.input;
    return field.fieldKind === "message" && isNew ? fieldsInQuery(binding, field.message, fields) : [];
  });
}
