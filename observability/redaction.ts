import { errorType } from "./error-type.ts";

/** Keys whose values never reach a log, in the spelling that `normalise` gives. */
const secretKeys = new Set(
  [
    [
      "password",
      "newpassword",
      "oldpassword",
      "currentpassword",
      "passwordhash",
      "hash",
      "salt",
      "pin",
      "totp",
      "totpcode",
    ],
    ["secret", "clientsecret", "privatekey", "key", "jwk", "credentials", "signature"],
    ["token", "accesstoken", "refreshtoken", "idtoken", "apikey", "verifytoken", "resettoken"],
    ["authorization", "proxyauthorization", "cookie", "setcookie", "xmeshidentity", "xapikey"],
    ["email", "emailaddress", "mail", "to", "recipient", "displayname", "fullname", "phone"],
    ["title", "description", "text", "body", "content", "payload", "subject", "html", "query", "parameters", "params"],
  ].flat(),
);

const censored = "[redacted]";
const maxDepth = 5;

/** A copy of what is logged in which the values of known keys are censored, at any depth. */
export function redact(value: Record<string, unknown>): Record<string, unknown> {
  return redactObject(value, 0);
}

function redactObject(source: object, depth: number): Record<string, unknown> {
  const copy: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(source)) {
    copy[key] = secretKeys.has(normalise(key)) && value !== undefined ? censored : redactValue(value, depth + 1);
  }
  return copy;
}

function redactValue(value: unknown, depth: number): unknown {
  if (typeof value === "string") return scrub(value);
  if (typeof value === "bigint") return value.toString();
  if (typeof value !== "object" || value === null) return value;
  if (value instanceof Error) return serialiseError(value);
  if (value instanceof Date) return value;
  if (ArrayBuffer.isView(value)) return `[${value.byteLength} bytes]`;
  if (depth >= maxDepth) return "[deep]";
  return Array.isArray(value) ? value.map((item) => redactValue(item, depth + 1)) : redactObject(value, depth);
}

const normalised = new Map<string, string>();

function normalise(key: string): string {
  const known = normalised.get(key);
  if (known !== undefined) return known;
  const plain = key.toLowerCase().replaceAll(/[^a-z]/g, "");
  if (normalised.size < 1_000) normalised.set(key, plain);
  return plain;
}

// Every line of the log passes here: one look is enough for a text that can hold none of them.
const suspicious = /@|eyJ|bearer|basic/i;

/** Takes mail addresses, tokens and passwords of URLs out of a text. */
export function scrub(text: string): string {
  if (text.length < 5 || !suspicious.test(text)) return text;
  return text
    .replaceAll(/\b(?:Bearer|Basic)\s+\S+/gi, "[token]")
    .replaceAll(/\beyJ[\w-]+\.[\w-]*(?:\.[\w-]*){0,3}/g, "[token]")
    .replaceAll(/(\w+:\/\/[^\s:/@]*:)[^\s@/]+@/g, "$1[redacted]@")
    .replaceAll(/[^\s@<>"'(),;:]+@[^\s@<>"'(),;:]+\.[a-z]{2,}/gi, "[mail]");
}

/**
 * An error without its payload: class, type, code, a scrubbed message, the frames and the chain of causes.
 * Anything else that hangs on it (a failed row, a request, SQL with its parameters) stays out.
 */
export function serialiseError(error: unknown, depth = 0): Record<string, unknown> {
  if (!(error instanceof Error)) return { type: typeof error };
  const { code, cause } = error as { code?: unknown; cause?: unknown };
  return {
    type: error.name,
    kind: errorType(error),
    ...(typeof code === "string" || typeof code === "number" ? { code } : {}),
    message: safeMessage(error),
    stack: framesOf(error),
    ...(error instanceof AggregateError && depth < 3
      ? { errors: error.errors.slice(0, 5).map((inner) => serialiseError(inner, depth + 1)) }
      : {}),
    ...(cause !== undefined && depth < 3 ? { cause: serialiseError(cause, depth + 1) } : {}),
  };
}

/** Parsers, Node and the database quote the input that they refuse; that part of their messages is taken out. */
function safeMessage(error: Error): string {
  const { code } = error as { code?: unknown };
  const [text = ""] = error.message.split("\n", 1);
  if (error instanceof SyntaxError) return "not shown, it may quote its input";
  if (error instanceof RangeError || (typeof code === "string" && code.startsWith("ERR_"))) {
    return scrub(text.split(/["'`:]|Received/, 1)[0] ?? "").trim();
  }
  const shown = "severity" in error ? text.replace(/".*"/, '"…"').replace(/=\(.*\)/, "=(…)") : text;
  return scrub(shown).slice(0, 400);
}

/** The frames alone: the text above them repeats the message as it was. */
function framesOf(error: Error): string | undefined {
  const frames = error.stack?.split("\n").filter((line) => /^\s+at /.test(line));
  return frames?.slice(0, 15).join("\n");
}
