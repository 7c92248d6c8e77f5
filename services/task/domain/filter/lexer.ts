import { invalidArgument, type ServiceError } from "#kit/errors.ts";

export type Operator = "=" | "!=" | "<" | "<=" | ">" | ">=" | ":";

export type Token =
  | { kind: "word" | "string"; text: string; at: number }
  | { kind: "operator"; text: Operator; at: number }
  | { kind: "(" | ")" | "-" | "end"; text: string; at: number };

const blank = /\s/;
const wordCharacter = /[^\s()=!<>:"',-]/;
const operators: readonly Operator[] = ["<=", ">=", "!=", "=", "<", ">", ":"];

/** INVALID_ARGUMENT for the field `filter`; `at` counts characters from 0. */
export function filterError(at: number, problem: string): ServiceError {
  return invalidArgument("filter", `at character ${at + 1}: ${problem}`);
}

/** Splits a filter of AIP-160 into its tokens, of which the last is always "end". */
export function tokenize(filter: string): Token[] {
  if (filter.includes("\0")) throw filterError(filter.indexOf("\0"), "a NUL character is not expected here");
  const tokens: Token[] = [];
  let at = 0;
  while (at < filter.length) {
    if (blank.test(filter.charAt(at))) {
      at += 1;
      continue;
    }
    const { token, end } = readToken(filter, at);
    tokens.push(token);
    at = end;
  }
  tokens.push({ kind: "end", text: "the end", at });
  return tokens;
}

function readToken(filter: string, at: number): { token: Token; end: number } {
  const character = filter.charAt(at);
  if (character === '"' || character === "'") return readString(filter, at, character);
  const operator = operators.find((text) => filter.startsWith(text, at));
  if (operator !== undefined) return { token: { kind: "operator", text: operator, at }, end: at + operator.length };
  if (character === "(" || character === ")") return { token: { kind: character, text: character, at }, end: at + 1 };
  const minus = readMinus(filter, at);
  if (minus !== undefined) return minus;
  let end = at;
  while (end < filter.length && (wordCharacter.test(filter.charAt(end)) || (end > at && filter[end] === "-"))) end += 1;
  if (end === at) throw filterError(at, `"${character}" is not expected here`);
  return { token: { kind: "word", text: filter.slice(at, end), at }, end };
}

/** A minus is the sign of a number or stands for NOT. */
function readMinus(filter: string, at: number): { token: Token; end: number } | undefined {
  if (filter[at] !== "-") return undefined;
  const number = /^-\d+(?![\w.-])/.exec(filter.slice(at));
  if (number !== null) return { token: { kind: "word", text: number[0], at }, end: at + number[0].length };
  return { token: { kind: "-", text: "-", at }, end: at + 1 };
}

function readString(filter: string, start: number, quote: string): { token: Token; end: number } {
  let text = "";
  for (let at = start + 1; at < filter.length; at += 1) {
    const character = filter.charAt(at);
    if (character === quote) return { token: { kind: "string", text, at: start }, end: at + 1 };
    if (character === "\\") at += 1;
    text += filter.charAt(at);
  }
  throw filterError(start, "the text is not closed by a quote");
}
