import type { DescMethod } from "@bufbuild/protobuf";
import { MethodOptions_IdempotencyLevel as Level } from "@bufbuild/protobuf/wkt";
import { ErrorReason, ErrorReasonSchema } from "#gen/mesh/v1/error_reason_pb.js";
import { Access } from "#gen/mesh/v1/options_pb.js";
import { Code, codeName, codeOfReason, ServiceError } from "#kit/errors.ts";
import { policyOf } from "#kit/grpc/policy.ts";
import { httpStatus } from "../errors/http-status.ts";
import { problemOf } from "../errors/problem.ts";
import type { Binding } from "../transcoding/binding.ts";
import { commentOf, firstSentence } from "./comments.ts";
import type { Example, Header, Reference, Response, Schema } from "./model.ts";
import { takesIfMatch } from "./parameters.ts";
import { isStream } from "./streams.ts";

const reasonNames = new Map(
  ErrorReasonSchema.values.map(({ localName, number }) => [localName, number as ErrorReason]),
);
const capitals = /\b[A-Z]+(?:_[A-Z]+)*\b/g;
const notAcceptable = 406;
const headersTooLarge = 431;
const unsupportedMedia = 415;

export const headers: Record<string, Header> = {
  RequestId: {
    description: "Names the call in the logs; the client's own X-Request-Id when it sent one.",
    schema: { type: "string" },
  },
  RateLimitPolicy: {
    description: "The limits that count the call: their points, and the seconds in which those come back.",
    schema: { type: "string", examples: ['"general";q=50;w=1, "general-address";q=50;w=1'] },
  },
  RateLimit: {
    description: "What is left of each of them, and in how many seconds there is more.",
    schema: { type: "string", examples: ['"general";r=49;t=1, "general-address";r=48;t=1'] },
  },
  RetryAfter: { description: "When to come back, in seconds.", schema: { type: "integer", minimum: 1 } },
  WwwAuthenticate: { description: "What is wrong with the token (RFC 6750).", schema: { type: "string" } },
  Replayed: {
    description: "Whether the answer is the one of an earlier call with the same key.",
    schema: { type: "string", enum: ["true"] },
  },
  ETag: {
    description: "The version of the resource, to be sent back in If-Match.",
    schema: { type: "string", examples: ['"2"'] },
  },
};

export const problemSchema: Schema = {
  type: "object",
  title: "Problem",
  description: "A problem document (RFC 9457), with members of ours that every answer of an error has.",
  required: ["type", "title", "status", "detail", "code", "reason", "requestId"],
  properties: {
    type: { type: "string", format: "uri-reference" },
    title: { type: "string", description: "The status in words." },
    status: { type: "integer" },
    detail: { type: "string", description: "What went wrong, for people." },
    code: { type: "string", description: "The status of gRPC.", enum: Object.values(Code).map(codeName) },
    reason: {
      type: "string",
      description: "Why, for programs. A reason never changes its meaning; new ones may be added.",
      examples: [...reasonNames.keys()].slice(1),
    },
    fieldViolations: {
      type: "array",
      description: "What is wrong with which field, by its JSON name, relative to the body when it is in it.",
      items: {
        type: "object",
        required: ["field", "description"],
        properties: { field: { type: "string" }, description: { type: "string" } },
      },
    },
    metadata: { type: "object", additionalProperties: { type: "string" } },
    traceId: { type: "string", pattern: "^[0-9a-f]{32}$" },
    requestId: { type: "string" },
    retryAfter: {
      type: "integer",
      minimum: 0,
      description: "When to come back, in seconds: in the error that ends a stream. Elsewhere Retry-After says it.",
    },
  },
};

/** Collects the answers of failed calls: each is described once, however many operations give it. */
export class Problems {
  readonly components: Record<string, Response> = {};

  /** What a binding may be answered with beside success, by HTTP status. */
  responses(binding: Binding): Record<string, Reference> {
    const groups = new Map<number, Set<ErrorReason>>();
    for (const [status, reason] of failuresOf(binding)) {
      const group = groups.get(status) ?? new Set();
      groups.set(status, reason === undefined ? group : group.add(reason));
    }
    const sorted = [...groups].sort(([first], [second]) => first - second);
    return Object.fromEntries(sorted.map(([status, reasons]) => [status, this.#response(status, [...reasons])]));
  }

  #response(status: number, reasons: ErrorReason[]): Reference {
    const name = [String(status), ...reasons.map((reason) => ErrorReason[reason] as string)].join(".");
    this.components[name] ??= describe(status, reasons);
    return { $ref: `#/components/responses/${name}` };
  }
}

/** Each failure as its HTTP status, with its reason where one is known. */
function failuresOf(binding: Binding): [number, ErrorReason | undefined][] {
  const named = namedFailures(binding);
  const reasons = new Set([...usualReasons(binding), ...named.reasons]);
  const failures = [...reasons].map((reason) => [statusOf(reason), reason] as [number, ErrorReason]);
  if (binding.body !== undefined) failures.push([unsupportedMedia, ErrorReason.INVALID_FIELD]);
  if (isStream(binding)) failures.push([notAcceptable, ErrorReason.INVALID_FIELD]);
  failures.push([headersTooLarge, ErrorReason.INVALID_FIELD]);
  return [...failures, ...named.statuses.map((status) => [status, undefined] as [number, undefined])];
}

function usualReasons(binding: Binding): ErrorReason[] {
  const { method, body } = binding;
  const { access, idempotencyKey } = policyOf(method) ?? {};
  const reasons = [ErrorReason.INVALID_FIELD];
  if (access === Access.USER) reasons.push(ErrorReason.TOKEN_INVALID, ErrorReason.TOKEN_EXPIRED);
  if (takesIfMatch(binding)) reasons.push(ErrorReason.ETAG_MISMATCH);
  if (method.idempotency !== Level.NO_SIDE_EFFECTS) reasons.push(ErrorReason.CONFLICT);
  if (idempotencyKey) reasons.push(ErrorReason.IDEMPOTENCY_KEY_IN_FLIGHT, ErrorReason.IDEMPOTENCY_KEY_REUSED);
  if (body !== undefined) reasons.push(ErrorReason.MESSAGE_TOO_LARGE);
  reasons.push(ErrorReason.RATE_LIMITED, ErrorReason.INTERNAL, ErrorReason.UNAVAILABLE, ErrorReason.DEADLINE_EXCEEDED);
  return reasons;
}

/**
 * The failures that the comments name. What the service says of a resource holds where the path names one. A status of
 * gRPC that is named without a reason counts unless one of the reasons has it.
 */
function namedFailures({ method, path }: Binding): { reasons: ErrorReason[]; statuses: number[] } {
  const own = wordsOf(method);
  const words = path.length > 0 ? [...own, ...wordsOf(method.parent)] : own;
  const reasons = words.flatMap((word) => reasonNames.get(word) ?? []);
  const codes = new Set<Code>(reasons.map((reason) => codeOfReason[reason]));
  const bare = own
    .flatMap((word) => (word in Code ? Code[word as keyof typeof Code] : []))
    .filter((code) => !codes.has(code));
  const statuses = bare.map((code) =>
    httpStatus(new ServiceError({ code, reason: ErrorReason.UNSPECIFIED, message: "" })),
  );
  return { reasons, statuses };
}

function wordsOf(desc: DescMethod | DescMethod["parent"]): string[] {
  return commentOf(desc)?.match(capitals) ?? [];
}

function statusOf(reason: ErrorReason): number {
  return httpStatus(new ServiceError({ reason, message: "" }));
}

function describe(status: number, reasons: ErrorReason[]): Response {
  const examples = Object.fromEntries(
    reasons.map((reason) => [ErrorReason[reason] as string, exampleOf(status, reason)]),
  );
  const title = problemOf(new ServiceError({ reason: ErrorReason.UNSPECIFIED, message: "" }), {
    requestId: "",
    traceId: undefined,
    status,
  }).title;
  const lines = reasons.map((reason) => `- \`${ErrorReason[reason]}\`: ${meaningOf(reason, status)}`);
  const media = { schema: { $ref: "#/components/schemas/Problem" }, ...(reasons.length > 0 ? { examples } : {}) };
  return {
    description: [title, lines.join("\n")].filter(Boolean).join("\n\n"),
    headers: headersOf(status),
    content: { "application/problem+json": media },
  };
}

/** What every answer has. */
export function headersOfAll(): Record<string, Reference> {
  return {
    "X-Request-Id": { $ref: "#/components/headers/RequestId" },
    "RateLimit-Policy": { $ref: "#/components/headers/RateLimitPolicy" },
    RateLimit: { $ref: "#/components/headers/RateLimit" },
  };
}

function headersOf(status: number): Record<string, Reference> {
  const sent = headersOfAll();
  if (status === 401) sent["WWW-Authenticate"] = { $ref: "#/components/headers/WwwAuthenticate" };
  if (status === 429 || status === 503) sent["Retry-After"] = { $ref: "#/components/headers/RetryAfter" };
  return sent;
}

function exampleOf(status: number, reason: ErrorReason): Example {
  const error = new ServiceError({
    reason,
    message: reason === ErrorReason.INTERNAL ? "internal error" : firstSentence(meaningOf(reason, status)),
    fieldViolations: reason === ErrorReason.INVALID_FIELD && status === 400 ? [sampleViolation] : [],
    metadata: reason === ErrorReason.ETAG_MISMATCH ? { current_etag: "3" } : {},
  });
  const place = {
    requestId: "01932f4e-5c00-7000-8000-3f6a1c2b4d5e",
    traceId: "4bf92f3577b34da6a3ce929d0e0e4736",
    status,
  };
  return { summary: meaningOf(reason, status), value: { ...problemOf(error, place) } as unknown as Example["value"] };
}

const sampleViolation = { field: "pageSize", description: "must be an integer from -2147483648 to 2147483647" };

/** What the enum says of a reason, without the status that every comment there ends with. */
function meaningOf(reason: ErrorReason, status: number): string {
  if (status === unsupportedMedia) return "The body is not JSON in UTF-8, or it is compressed.";
  if (status === notAcceptable) return "Accept names no form in which the stream can be had.";
  const value = ErrorReasonSchema.values.find(({ number }) => number === reason);
  const comment = (value && commentOf(value)) ?? ErrorReason[reason] ?? "";
  return comment.replace(/ [A-Z_]+\.$/, "");
}
