import { readFileSync } from "node:fs";

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

/** Typed readers of environment variables. One without a default is required. */
export const env = {
  string: (variable: string, options: Fallback<string> = {}) =>
    reader(variable, "a text", options, (text) => text || undefined),
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
    reader(variable, "true or false", options, (text) => ({ true: true, false: false })[text.toLowerCase()]),
  /** One of a few words. */
  choice: <const T extends string>(variable: string, words: readonly T[], options: Fallback<T> = {}) =>
    reader<T>(variable, words.join(" or "), options, (text) => words.find((word) => word === text)),
  url: (variable: string, options: Fallback<string> = {}) =>
    reader(variable, "a URL", options, (text) => (URL.canParse(text) ? text : undefined)),
  /** Texts between commas; blanks around them do not count. */
  list: (variable: string, options: Fallback<string[]> = {}) =>
    reader(variable, "texts between commas", options, (text) => {
      const items = text
        .split(",")
        .map((item) => item.trim())
        .filter((item) => item !== "");
      return items.length > 0 ? items : undefined;
    }),
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
 * Reads all variables of a schema.
 * Throws a ConfigError that names every fault at once; it never repeats a value, for it may be a secret.
 */
export function readEnv<S extends EnvSchema>(
  schema: S,
  source: Record<string, string | undefined> = process.env,
): Values<S> {
  const faults: string[] = [];
  const values: Record<string, unknown> = {};
  for (const [key, { variable, expects, fallback, optional, parse }] of Object.entries(schema)) {
    const text = source[variable];
    if (text === undefined || text === "") {
      values[key] = fallback;
      if (fallback === undefined && !optional) faults.push(`${variable} is missing: set it to ${expects}`);
      continue;
    }
    values[key] = parse(text);
    if (values[key] === undefined) faults.push(`${variable} is wrong: it must be ${expects}`);
  }
  if (faults.length > 0) throw new ConfigError(faults.join("\n"));
  return values as Values<S>;
}
