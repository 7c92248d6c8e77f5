import { isDateTime, isDay } from "../due.ts";
import { type Field, filterFields, statusNames } from "./fields.ts";
import { filterError, type Operator } from "./lexer.ts";
import { type Expression, parseFilter, type Value } from "./parser.ts";

/** A condition in SQL. Values are never part of it: they are bound as $n. */
export interface Condition {
  sql: string;
  params: unknown[];
}

type Comparison = Extract<Expression, { kind: "comparison" }>;
type Bind = (value: unknown) => string;

const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;
const instant = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d{1,9})?(Z|[+-]\d{2}:\d{2})$/;

/**
 * The condition that a filter stands for; undefined when it is blank. The first parameter is numbered `firstParam`.
 * A comparison with a field that is not set is false, so that NOT of it is true.
 */
export function toCondition(filter: string, firstParam: number): Condition | undefined {
  const expression = parseFilter(filter);
  if (expression === undefined) return undefined;
  const params: unknown[] = [];
  const sql = toSql(expression, (value) => `$${firstParam + params.push(value) - 1}`);
  return { sql, params };
}

function toSql(expression: Expression, bind: Bind): string {
  switch (expression.kind) {
    case "and":
    case "or":
      return `(${expression.terms.map((term) => toSql(term, bind)).join(` ${expression.kind} `)})`;
    case "not":
      return `(not ${toSql(expression.term, bind)})`;
    case "comparison":
      return comparisonSql(expression, bind);
  }
}

function comparisonSql(comparison: Comparison, bind: Bind): string {
  const field = Object.hasOwn(filterFields, comparison.field) ? filterFields[comparison.field] : undefined;
  if (field === undefined) {
    throw filterError(comparison.at, `"${comparison.field.slice(0, 40)}" is no field to filter by`);
  }
  const { operator, value } = comparison;
  if (operator === ":" && value.text === "*" && !value.isQuoted) return presenceSql(field);
  return readers[field.type](field, comparison, bind);
}

function presenceSql({ type, column }: Field): string {
  return type === "ids" ? `(cardinality(${column}) > 0)` : `(${column} is not null)`;
}

/** How a comparison with a field of each type reads in SQL. */
const readers: Record<Field["type"], (field: Field, comparison: Comparison, bind: Bind) => string> = {
  status: ({ column }, { operator, value }, bind) => {
    const status = Object.hasOwn(statusNames, value.text) ? statusNames[value.text] : undefined;
    if (status === undefined)
      throw filterError(value.at, `a status is expected: ${Object.keys(statusNames).join(", ")}`);
    return compare(column, only(operator, value, "=", "!=", ":"), `${bind(status)}::smallint`);
  },
  integer: ({ column }, { operator, value }, bind) => {
    if (!/^-?\d{1,9}$/.test(value.text)) throw filterError(value.at, "a whole number is expected");
    return compare(column, operator, `${bind(Number(value.text))}::integer`);
  },
  text: ({ column }, { operator, value }, bind) => textSql(column, operator, value, bind),
  time: ({ column }, { operator, value }, bind) => {
    const time = instantOf(value) ?? (isDay(value.text) ? `${value.text}T00:00:00Z` : undefined);
    if (time === undefined) {
      throw filterError(value.at, 'a time is expected, such as "2026-11-30T09:00:00Z" or "2026-11-30"');
    }
    return compare(column, operator, `${bind(time)}::timestamptz`);
  },
  due: ({ column }, { operator, value }, bind) => {
    if (isDay(value.text)) return compare(`left(${column}, 10)`, operator, `${bind(value.text)}::text`);
    if (isDateTime(value.text)) return compare(column, operator, `${bind(value.text)}::text`);
    const time = instantOf(value);
    if (time === undefined) {
      throw filterError(value.at, 'a day or a time is expected, such as "2026-11-30" or "2026-11-30T09:00:00"');
    }
    return compare("t.due_instant", operator, `${bind(time)}::timestamptz`);
  },
  id: ({ column }, { operator, value }, bind) => {
    if (value.text === "" && value.isQuoted) return emptySql(column, only(operator, value, "=", "!="));
    return compare(column, only(operator, value, "=", "!=", ":"), `${bind(idOf(value))}::uuid`);
  },
  ids: ({ column }, { operator, value }, bind) => {
    only(operator, value, ":");
    return `(${column} @> array[${bind(idOf(value))}::uuid])`;
  },
};

function compare(column: string, operator: Operator, value: string): string {
  if (operator === "!=") return `(${column} is distinct from ${value})`;
  return `coalesce(${column} ${operator === ":" ? "=" : operator} ${value}, false)`;
}

/** `=` with a * for anything, as AIP-160 has it; `:` finds a text anywhere, in whatever case. */
function textSql(column: string, operator: Operator, { text, isQuoted }: Value, bind: Bind): string {
  const literal = text.replaceAll(/[\\%_]/g, "\\$&");
  if (operator === ":") return `(${column} ilike ${bind(`%${literal}%`)}::text)`;
  if (!text.includes("*") || (operator !== "=" && operator !== "!=")) {
    return compare(column, operator, `${bind(text)}::text`);
  }
  const pattern = isQuoted || text !== "*" ? literal.replaceAll("*", "%") : "%";
  return `(${column} ${operator === "=" ? "like" : "not like"} ${bind(pattern)}::text)`;
}

function emptySql(column: string, operator: Operator): string {
  return `(${column} is ${operator === "=" ? "" : "not "}null)`;
}

function only(operator: Operator, value: Value, ...allowed: Operator[]): Operator {
  if (!allowed.includes(operator)) throw filterError(value.at, `"${operator}" cannot compare this field`);
  return operator;
}

function idOf({ text, at }: Value): string {
  if (!uuid.test(text)) throw filterError(at, "an id is expected");
  return text.toLowerCase();
}

function instantOf({ text }: Value): string | undefined {
  if (!instant.test(text) || !isDateTime(text.slice(0, 19))) return undefined;
  const time = Date.parse(text);
  return Number.isNaN(time) ? undefined : new Date(time).toISOString();
}
