import { readFileSync } from "node:fs";
import { isIP } from "node:net";
import { hostname } from "node:os";
import { givenElsewhere, unneededVariables } from "./env-aliases.ts";

/** A wrong or missing setting; the message has one line for each fault. */
export class ConfigError extends Error {
  override readonly name = "ConfigError";
}

/** Turns the text of one environment variable into a value, or says in a phrase what it must be. */
export interface Reader<T> {
  readonly variable: string;
  /** What the value must be: "an integer from 1 to 65535". Shown in faults and in .env.example. */
  readonly expects: string;
  readonly fallback: T | undefined;
  readonly optional: boolean;
  parse(text: string): T | undefined;
}

type Source = Readonly<Record<string, string | undefined>>;

/** No value of a variable is as long as that. */
const longest = 4_096;

export type EnvSchema = Record<string, Reader<unknown>>;
export type Values<S extends EnvSchema> = { [K in keyof S]: S[K] extends Reader<infer T> ? T : never };

interface Fallback<T> {
  default?: T;
}
interface Bounds extends Fallback<number> {
  min?: number;
  max?: number;
}

function reader<T>(
  variable: string,
  expects: string,
  options: Fallback<T>,
  parse: (text: string) => T | undefined,
): Reader<T> {
  return { variable, expects, fallback: options.default, optional: false, parse };
}

function number(variable: string, expects: string, options: Bounds, accept: (value: number) => boolean) {
  const { min = Number.NEGATIVE_INFINITY, max = Number.POSITIVE_INFINITY } = options;
  return reader(variable, expects, options, (text) => {
    const value = text.trim() === "" ? Number.NaN : Number(text);
    return accept(value) && value >= min && value <= max ? value : undefined;
  });
}

function bounded(kind: string, { min, max }: Bounds): string {
  if (min !== undefined && max !== undefined) return `${kind} from ${min} to ${max}`;
  if (min !== undefined) return `${kind} of at least ${min}`;
  return max === undefined ? kind : `${kind} of at most ${max}`;
}

function readFile<T>(path: string, parse: (content: string) => T): T | undefined {
  try {
    return parse(readFileSync(path, "utf8"));
  } catch {
    return undefined;
  }
}

const hostName = /^[A-Za-z0-9]([A-Za-z0-9._-]{0,251}[A-Za-z0-9])?$/;

function isPlain(text: string): boolean {
  return text !== "" && !/\p{Cc}/u.test(text);
}

function isAddress(text: string): boolean {
  const [, bracketed, name, port] = /^(?:\[([^\]]+)\]|([^:\s]+)):(\d{1,5})$/.exec(text) ?? [];
  const isHost = bracketed === undefined ? hostName.test(name ?? "") : isIP(bracketed) === 6;
  return isHost && Number(port) >= 1 && Number(port) <= 65_535;
}

function isUrl(text: string, schemes: readonly string[]): boolean {
  if (!URL.canParse(text)) return false;
  const { protocol, hostname: host } = new URL(text);
  return schemes.includes(protocol.slice(0, -1)) && host !== "";
}

function itemsOf(text: string): string[] {
  return text
    .split(",")
    .map((item) => item.trim())
    .filter((item) => item !== "");
}

/** Typed readers of environment variables. One without a default is required. */
export const env = {
  /** Without line breaks and other control characters, which would forge lines of the log. */
  string: (variable: string, options: Fallback<string> = {}) =>
    reader(variable, "a text", options, (text) => (isPlain(text) ? text : undefined)),
  /** host:port */
  address: (variable: string) =>
    reader<string>(variable, "an address, host:port", {}, (text) => (isAddress(text) ? text : undefined)),
  addresses: (variable: string) =>
    reader<string[]>(variable, "addresses, host:port, between commas", {}, (text) => {
      const items = itemsOf(text);
      return items.length > 0 && items.every(isAddress) ? items : undefined;
    }),
  /** A name or an address to listen on. */
  host: (variable: string, options: Fallback<string> = {}) =>
    reader(variable, "a host name or an IP address", options, (text) =>
      isIP(text) > 0 || hostName.test(text) ? text : undefined,
    ),
  integer: (variable: string, options: Bounds = {}) =>
    number(variable, bounded("an integer", options), options, Number.isSafeInteger),
  port: (variable: string, options: Fallback<number> = {}) =>
    number(variable, "a port from 0 to 65535", { ...options, min: 0, max: 65535 }, Number.isSafeInteger),
  ratio: (variable: string, options: Fallback<number> = {}) =>
    number(variable, "a number from 0 to 1", { ...options, min: 0, max: 1 }, Number.isFinite),
  seconds: (variable: string, options: Bounds = {}) =>
    number(variable, bounded("a number of seconds", { min: 0, ...options }), { min: 0, ...options }, Number.isFinite),
  /** A number greater than 0. */
  positive: (variable: string, options: Fallback<number> = {}) =>
    number(variable, "a number greater than 0", options, (value) => Number.isFinite(value) && value > 0),
  boolean: (variable: string, options: Fallback<boolean> = {}) =>
    reader(
      variable,
      "true or false",
      options,
      (text) => /^true$/i.test(text) || (/^false$/i.test(text) ? false : undefined),
    ),
  /** One of a few words. */
  choice: <const T extends string>(variable: string, words: readonly T[], options: Fallback<T> = {}) =>
    reader<T>(variable, words.join(" or "), options, (text) => words.find((word) => word === text)),
  /** Of one of the schemes: "http", "https". */
  url: (variable: string, schemes: readonly string[], options: Fallback<string> = {}) =>
    reader(variable, `a URL, ${schemes.map((scheme) => `${scheme}://…`).join(" or ")}`, options, (text) =>
      isUrl(text, schemes) ? text : undefined,
    ),
  /** Texts between commas; blanks around them do not count. */
  list: (variable: string, options: Fallback<string[]> = {}) =>
    reader(variable, "texts between commas", options, (text) => {
      const items = itemsOf(text);
      return items.length > 0 && isPlain(text) ? items : undefined;
    }),
  /** SERVICE_INSTANCE_ID. Without it the host's name tells instances apart, which every container has of its own. */
  instanceId: (service: string) =>
    reader<string>("SERVICE_INSTANCE_ID", "a text", { default: `${service}-${hostname()}` }, (text) =>
      isPlain(text) ? text : undefined,
    ),
  /** The path of a file that exists and can be read. */
  file: (variable: string) =>
    reader<string>(variable, "the path of a readable file", {}, (path) => readFile(path, () => path)),
  /** The trimmed content of a file that holds a secret. */
  secretFile: (variable: string) =>
    reader<string>(
      variable,
      "the path of a readable file that is not empty",
      {},
      (path) => readFile(path, (content) => content.trim()) || undefined,
    ),
  /** The same reader, but the variable may be unset: then the value is undefined. */
  optional: <T>(inner: Reader<T>): Reader<T | undefined> => ({ ...inner, optional: true }),
};

/**
 * The text of a variable: its own, or the trimmed content of the file that `<variable>_FILE` names, which is how secrets
 * reach a container.
 */
function textOf(variable: string, source: Source): { text?: string; from?: string; fault?: string } {
  const own = source[variable];
  const path = source[`${variable}_FILE`];
  if (!path) return own ? { text: own } : (givenElsewhere(variable, source) ?? {});
  if (own) return { fault: `${variable} and ${variable}_FILE are both set: keep one of them` };
  const text = readFile(path, (content) => content.trim());
  return text
    ? { text }
    : { fault: `${variable}_FILE is wrong: it must be the path of a readable file that is not empty` };
}

/**
 * Reads all variables of a schema; each may be given as a file, see `textOf`, or under another name, see env-aliases.ts.
 * Throws a ConfigError that names every fault at once; it never repeats a value, for it may be a secret.
 */
export function readEnv<S extends EnvSchema>(schema: S, source: Source = process.env): Values<S> {
  const faults: string[] = [];
  const values: Record<string, unknown> = {};
  for (const [key, { variable, expects, fallback, optional, parse }] of Object.entries(schema)) {
    const { text, from, fault } = textOf(variable, source);
    if (fault !== undefined) {
      faults.push(fault);
      continue;
    }
    if (text === undefined || text === "") {
      values[key] = fallback;
      if (fallback === undefined && !optional) faults.push(`${variable} is missing: set it to ${expects}`);
      continue;
    }
    values[key] = text.length > longest ? undefined : parse(text);
    const place = from === undefined ? variable : `${variable}, taken from ${from},`;
    if (values[key] === undefined) faults.push(`${place} is wrong: it must be ${expects}`);
  }
  if (faults.length > 0) throw new ConfigError(faults.join("\n"));
  return values as Values<S>;
}

/** One line for each variable that is set, understood, and not needed. */
export function unneededSettings(source: Source = process.env): string[] {
  return unneededVariables(source);
}
