import { filterError, type Operator, type Token, tokenize } from "./lexer.ts";

export interface Value {
  text: string;
  isQuoted: boolean;
  at: number;
}

export type Expression =
  | { kind: "and" | "or"; terms: Expression[] }
  | { kind: "not"; term: Expression }
  | { kind: "comparison"; field: string; operator: Operator; value: Value; at: number };

const deepest = 20;

/**
 * Reads a filter of AIP-160; undefined for a blank one. As there, OR binds closer than AND, and terms side by side are
 * joined by AND. Throws INVALID_ARGUMENT that says where it does not read on.
 */
export function parseFilter(filter: string): Expression | undefined {
  const reader = new Reader(tokenize(filter));
  if (reader.peek().kind === "end") return undefined;
  const expression = readConjunction(reader, 0);
  const rest = reader.peek();
  if (rest.kind !== "end") throw filterError(rest.at, `"${rest.text}" is not expected here`);
  return expression;
}

class Reader {
  readonly #tokens: Token[];
  #next = 0;

  constructor(tokens: Token[]) {
    this.#tokens = tokens;
  }

  peek(): Token {
    return this.#tokens[Math.min(this.#next, this.#tokens.length - 1)] as Token;
  }

  take(): Token {
    const token = this.peek();
    this.#next += 1;
    return token;
  }

  takeWord(word: string): boolean {
    const token = this.peek();
    if (token.kind !== "word" || token.text !== word) return false;
    this.#next += 1;
    return true;
  }
}

function readConjunction(reader: Reader, depth: number): Expression {
  const terms = [readDisjunction(reader, depth)];
  while (reader.takeWord("AND") || startsTerm(reader.peek())) terms.push(readDisjunction(reader, depth));
  return joined("and", terms);
}

function readDisjunction(reader: Reader, depth: number): Expression {
  const terms = [readTerm(reader, depth)];
  while (reader.takeWord("OR")) terms.push(readTerm(reader, depth));
  return joined("or", terms);
}

function readTerm(reader: Reader, depth: number): Expression {
  const token = reader.peek();
  if (depth > deepest) throw filterError(token.at, `more than ${deepest} levels deep`);
  if (token.kind === "-" || (token.kind === "word" && token.text === "NOT")) {
    reader.take();
    return { kind: "not", term: readTerm(reader, depth + 1) };
  }
  if (token.kind !== "(") return readComparison(reader);
  reader.take();
  const inner = readConjunction(reader, depth + 1);
  const close = reader.take();
  if (close.kind !== ")") throw filterError(close.at, 'a ")" is expected');
  return inner;
}

function readComparison(reader: Reader): Expression {
  const field = reader.take();
  if (field.kind !== "word") throw filterError(field.at, `the name of a field is expected, not "${field.text}"`);
  const operator = reader.take();
  if (operator.kind !== "operator") throw filterError(operator.at, `a comparison of ${clip(field.text)} is expected`);
  const value = reader.take();
  if (value.kind !== "word" && value.kind !== "string") throw filterError(value.at, "a value is expected");
  return {
    kind: "comparison",
    field: field.text,
    operator: operator.text,
    value: { text: value.text, isQuoted: value.kind === "string", at: value.at },
    at: field.at,
  };
}

function startsTerm(token: Token): boolean {
  return token.kind === "(" || token.kind === "-" || (token.kind === "word" && token.text !== "OR");
}

function joined(kind: "and" | "or", terms: Expression[]): Expression {
  const [first, ...others] = terms;
  return first !== undefined && others.length === 0 ? first : { kind, terms };
}

function clip(text: string): string {
  return text.length > 40 ? `${text.slice(0, 40)}…` : text;
}
