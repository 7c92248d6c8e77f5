import pg from "pg";

/** What a statement does to which table: the name of its span, and two attributes. */
export interface StatementSummary {
  operation: string;
  collection: string;
}

/** A statement that PostgreSQL parses once per connection. Declare it once, at the top of a module. */
export interface Statement {
  readonly name: string;
  readonly text: string;
  readonly summary: StatementSummary;
}

const byName = new Map<string, Statement>();
const byText = new Map<string, Statement>();

/**
 * Declares a prepared statement. The name is unique in the process; the text uses $1, $2, ….
 * The summary is read off the text unless given, which a `WITH` often needs.
 */
export function statement(name: string, text: string, summary: StatementSummary = summarize(text)): Statement {
  const known = byName.get(name);
  if (known !== undefined) {
    if (known.text !== text) throw new Error(`the statement name ${name} stands for another text already`);
    return known;
  }
  const made = { name, text, summary };
  byName.set(name, made);
  byText.set(text, made);
  return made;
}

/** The declared statement with exactly this text. */
export function knownStatement(text: string): Statement | undefined {
  return byText.get(text);
}

const operations = new Set(["SELECT", "INSERT", "UPDATE", "DELETE", "CALL", "BEGIN", "COMMIT", "ROLLBACK"]);
const table = /\b(?:from|into|update)\s+(?:only\s+)?"?([a-z_][\w$]*)"?(?:\."?([a-z_][\w$]*)"?)?/i;
const wrapped = /\b(insert|update|delete)\b/i;

/** Reads the operation and the first table off a statement, without looking at its values. */
export function summarize(text: string): StatementSummary {
  const head = text.slice(0, 4000);
  const first = /[a-z]+/i.exec(head)?.[0].toUpperCase() ?? "QUERY";
  const operation = first === "WITH" ? (wrapped.exec(head)?.[1]?.toUpperCase() ?? "SELECT") : first;
  const from = first === "WITH" && operation !== "SELECT" ? head.slice(wrapped.exec(head)?.index ?? 0) : head;
  const found = table.exec(from);
  return {
    operation: operations.has(operation) ? operation : "QUERY",
    collection: found?.[2] ?? found?.[1] ?? "",
  };
}

const parsers = new pg.TypeOverrides();
parsers.setTypeParser(pg.types.builtins.INT8, (text: string) => BigInt(text));

/** How rows of hand-written SQL come back: int8 as bigint, timestamps as Date, bytea as Buffer, numeric as text. */
export const rowTypes: pg.CustomTypesConfig = parsers;
