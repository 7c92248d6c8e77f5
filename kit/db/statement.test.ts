import { expect, test } from "vitest";
import { statement, summarize } from "./statement.ts";

test.each([
  ["SELECT a FROM task WHERE x = 1", "SELECT task"],
  [`select "t0".* from "task" as "t0" where "t0"."title" = 'insert into secrets'`, "SELECT task"],
  [`insert into "public"."task" ("a") values (1)`, "INSERT task"],
  [`update only "task" set a = 1`, "UPDATE task"],
  ["DELETE FROM task", "DELETE task"],
  [
    "WITH t AS (INSERT INTO task (a) VALUES ($1) RETURNING a), o AS (INSERT INTO outbox_event DEFAULT VALUES) SELECT * FROM t",
    "INSERT task",
  ],
  ["WITH t AS (SELECT 1) SELECT * FROM t", "SELECT t"],
  ["begin", "BEGIN "],
  ["-- nothing", "QUERY "],
  ["", "QUERY "],
])("%s is %s", (text, expected) => {
  const { operation, collection } = summarize(text);
  expect(`${operation} ${collection}`).toBe(expected);
});

test("a statement's name stands for one text", () => {
  const first = statement("test-one-text", "SELECT 1");
  expect(statement("test-one-text", "SELECT 1")).toBe(first);
  expect(() => statement("test-one-text", "SELECT 2")).toThrow("test-one-text");
});
