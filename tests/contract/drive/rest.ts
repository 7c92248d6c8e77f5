import {
  type DescField,
  type DescMessage,
  fromJson,
  type JsonObject,
  type JsonValue,
  type Message,
} from "@bufbuild/protobuf";
import { type Answer, codeNames, comparableMetadata, type Failure, type Violation } from "./answer.ts";
import type { HttpAnswer } from "./http1.ts";
import { listenMs, type Outgoing, type Protocol, read, type Wire } from "./protocol.ts";
import { restRequest } from "./rest-request.ts";
import { type RestRule, restRulesOf } from "./rest-rule.ts";

/** HTTP statuses of google.rpc.Code, and of the reasons for which HTTP has its own. */
const statusOfCode = [200, 499, 500, 400, 504, 404, 409, 403, 429, 400, 409, 400, 501, 500, 503, 500, 401];
const statusOfReason: Record<string, number> = {
  ETAG_MISMATCH: 412,
  IDEMPOTENCY_KEY_REUSED: 422,
  MESSAGE_TOO_LARGE: 413,
};

/** REST, as google.api.http says; the binding is chosen by the call, so that all of them are used. */
export function rest(wire: Wire): Protocol {
  return {
    name: "REST",
    json: true,
    send: async (call) => {
      const rules = restRulesOf(call.method);
      for (const rule of rules) {
        const request = restRequest(call.method, rule, call);
        if (request === undefined) continue;
        const { verb, target: path, body } = request;
        const type: Record<string, string> = body === undefined ? {} : { "content-type": "application/json" };
        const accept: Record<string, string> =
          call.method.methodKind === "unary" ? {} : { accept: "application/x-ndjson" };
        const outgoing = { method: verb, path, headers: { ...type, ...accept, ...call.headers }, body };
        if (call.method.methodKind === "unary") return readAnswer(call, rule, await wire.send(outgoing));
        const enough = (received: Buffer) => received.includes("\n");
        return readAnswer(call, rule, await wire.send(outgoing, { enough, milliseconds: listenMs }));
      }
      return undefined;
    },
  };
}

function readAnswer(call: Outgoing, rule: RestRule, { status, headers, body, milliseconds }: HttpAnswer): Answer {
  const faults: string[] = [];
  const metadata = comparableMetadata(headers);
  const type = String(headers["content-type"]);
  if (status !== 200) {
    const retry = headers["retry-after"] !== undefined;
    if (!type.startsWith("application/problem+json")) faults.push(`an error as ${type}`);
    return { failure: readProblem({ call, rule, status, body, retry }, faults), metadata, faults, milliseconds };
  }
  if (call.method.methodKind !== "unary") return { ...readLine(call, body, faults), metadata, faults, milliseconds };
  if (!type.startsWith("application/json")) faults.push(`content-type ${type}`);
  const message = read(() => fromRest(call, rule, JSON.parse(body.toString()) as JsonValue), faults);
  return { message, metadata, faults, milliseconds };
}

function fromRest({ method, lenient }: Outgoing, { responseBody }: RestRule, json: JsonValue): Message {
  const field = method.output.fields.find(({ name }) => name === responseBody);
  return fromJson(method.output, field ? { [field.jsonName]: json } : json, { ignoreUnknownFields: lenient });
}

/** The first line of a stream: `{"result":…}`, or `{"error":…}` with a problem in it. */
function readLine(call: Outgoing, body: Buffer, faults: string[]): Pick<Answer, "message" | "failure"> {
  const [line = "", ...more] = body.toString().split("\n");
  if (more.length === 0 || line.trim() === "") return {};
  const rule = restRulesOf(call.method)[0] as RestRule;
  const { result, error } = JSON.parse(line) as { result?: JsonValue; error?: JsonObject };
  if (result !== undefined) return { message: read(() => fromRest(call, rule, result), faults) };
  const status = Number(error?.status);
  const told = Buffer.from(JSON.stringify(error ?? null));
  return { failure: readProblem({ call, rule, status, body: told, retry: error?.retryAfter !== undefined }, faults) };
}

interface Refusal {
  /** Whether the answer says when to come back. */
  retry: boolean;
  call: Outgoing;
  rule: RestRule;
  status: number;
  body: Buffer;
}

function readProblem({ call, rule, status, body, retry }: Refusal, faults: string[]): Failure | undefined {
  const problem = parsed(body);
  if (problem === undefined) {
    faults.push(`HTTP status ${status} without a problem: ${body.toString().slice(0, 200)}`);
    return undefined;
  }
  const code = (codeNames as readonly string[]).indexOf(String(problem.code));
  const reason = String(problem.reason);
  const expected = statusOfReason[reason] ?? statusOfCode[code];
  if (status !== expected || problem.status !== status)
    faults.push(`HTTP status ${status} for ${problem.code} ${reason}`);
  const given = (problem.fieldViolations ?? []) as unknown as Violation[];
  return {
    code,
    reason,
    message: given.length > 0 ? undefined : String(problem.detail),
    violations: given.map(({ field, description }) => ({
      field: protoName(call.method.input, rule, field),
      description,
    })),
    metadata: (problem.metadata ?? {}) as Record<string, string>,
    retry,
  };
}

function parsed(body: Buffer): JsonObject | undefined {
  try {
    return JSON.parse(body.toString()) as JsonObject;
  } catch {
    return undefined;
  }
}

/** REST names a field as its client wrote it, relative to the body: "due.dateTime" is "task.due.date_time". */
function protoName(input: DescMessage, { body }: RestRule, name: string): string {
  const bodyField = input.fields.find((field) => field.name === body);
  if (name === "") return bodyField ? body : "";
  const first = /^[^.[]+/.exec(name)?.[0] ?? "";
  const own = fieldNamed(input, first);
  const inBody = bodyField?.message && fieldNamed(bodyField.message, first);
  // What the body has under this name is meant, unless only the request itself has it.
  if (bodyField?.message && (inBody || !own)) return `${body}.${translated(bodyField.message, name)}`;
  return translated(input, name);
}

function translated(message: DescMessage, name: string): string {
  let owner: DescMessage | undefined = message;
  return name.replaceAll(/\["(?:[^"\\]|\\.)*"\]|\[\d*\]|[^.[]+/g, (part) => {
    if (part.startsWith("[")) return part;
    const field: DescField | undefined = owner && fieldNamed(owner, part);
    owner = field?.message;
    return field?.name ?? part;
  });
}

function fieldNamed({ fields }: DescMessage, name: string): DescField | undefined {
  return fields.find((field) => field.jsonName === name || field.name === name);
}
