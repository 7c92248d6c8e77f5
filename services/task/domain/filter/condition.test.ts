import { describe, expect, it } from "vitest";
import { ServiceError } from "#kit/errors.ts";
import { toCondition } from "./condition.ts";

const id = "01a1fde8-7b7d-75f0-b81c-fd2dd3a43aa6";

function refusal(filter: string): string {
  try {
    toCondition(filter, 1);
  } catch (error) {
    if (error instanceof ServiceError) return error.message;
    throw error;
  }
  return "none";
}

it("is nothing for a blank filter", () => {
  expect(toCondition("", 1)).toBeUndefined();
  expect(toCondition(" \t ", 1)).toBeUndefined();
});

it.each<[string, string, unknown[]]>([
  ["status = STATUS_OPEN", "coalesce(t.status = $3::smallint, false)", [1]],
  ["status != STATUS_DONE", "(t.status is distinct from $3::smallint)", [3]],
  ['status = "STATUS_DONE"', "coalesce(t.status = $3::smallint, false)", [3]],
  ["priority>=3", "coalesce(t.priority >= $3::integer, false)", [3]],
  ["priority > -1", "coalesce(t.priority > $3::integer, false)", [-1]],
  ['due < "2026-12-01"', `coalesce(left(t.due_local collate "C", 10) < $3::text, false)`, ["2026-12-01"]],
  ['due <= "2026-12-01T09:00:00"', `coalesce(t.due_local collate "C" <= $3::text, false)`, ["2026-12-01T09:00:00"]],
  [
    'due < "2026-12-01T09:00:00+01:00"',
    "coalesce(t.due_instant < $3::timestamptz, false)",
    ["2026-12-01T08:00:00.000Z"],
  ],
  ["due:*", `(t.due_local collate "C" is not null)`, []],
  ["NOT due:*", `(not (t.due_local collate "C" is not null))`, []],
  ["-due:*", `(not (t.due_local collate "C" is not null))`, []],
  ['create_time > "2026-11-01"', "coalesce(t.create_time > $3::timestamptz, false)", ["2026-11-01T00:00:00Z"]],
  [`parent_task_id = "${id}"`, "coalesce(t.parent_task_id = $3::uuid, false)", [id]],
  ['parent_task_id = ""', "(t.parent_task_id is null)", []],
  [`label_ids:"${id.toUpperCase()}"`, "(t.label_ids @> array[$3::uuid])", [id]],
  [`assignee_ids:${id}`, "(t.assignee_ids @> array[$3::uuid])", [id]],
  ["assignee_ids:*", "(cardinality(t.assignee_ids) > 0)", []],
  ['title = "50% of *"', "(t.title like $3::text)", ["50\\% of %"]],
  ['title:"Milk_"', "(t.title ilike $3::text)", ["%Milk\\_%"]],
  ['title = "say \\"hi\\""', "coalesce(t.title = $3::text, false)", ['say "hi"']],
])("%s", (filter, sql, params) => {
  expect(toCondition(filter, 3)).toEqual({ sql, params });
});

describe("operators bind as in AIP-160", () => {
  const shape = (filter: string) =>
    toCondition(filter, 1)?.sql.replaceAll(/coalesce\(t\.priority = \$(\d)::integer, false\)/g, "$1");
  it.each([
    ["priority=1 AND priority=2 OR priority=3", "(1 and (2 or 3))"],
    ["priority=1 OR priority=2 AND priority=3", "((1 or 2) and 3)"],
    ["(priority=1 AND priority=2) OR priority=3", "((1 and 2) or 3)"],
    ["priority=1 priority=2", "(1 and 2)"],
    ["NOT priority=1 OR priority=2", "((not 1) or 2)"],
    ["NOT (priority=1 OR priority=2)", "(not (1 or 2))"],
    ["((priority=1))", "1"],
    ["NOT NOT priority=1", "(not (not 1))"],
  ])("%s", (filter, expected) => {
    expect(shape(filter)).toBe(expected);
  });
});

describe("a filter that cannot be read is refused with the place", () => {
  it.each<[string, RegExp]>([
    ["owner_id = 1", /character 1: "owner_id" is no field/],
    ["constructor = 1", /no field/],
    ["__proto__:*", /no field/],
    ["status = OPEN", /character 10: a status is expected/],
    ["status < STATUS_DONE", /cannot compare/],
    ["status = toString", /a status is expected/],
    ["priority = high", /character 12: a whole number/],
    ["priority = 99999999999", /a whole number/],
    ['due < "soon"', /character 7: a day or a time/],
    ['due < "2026-02-30"', /a day or a time/],
    ['create_time > "2026-11-01T00:00:00"', /a time is expected/],
    ['create_time > "2026-11-01T00:00:00+99:00"', /a time is expected/],
    ['label_ids:"home"', /an id is expected/],
    [`label_ids = "${id}"`, /cannot compare/],
    ["priority", /a comparison of priority is expected/],
    ["priority =", /a value is expected/],
    ["= 3", /the name of a field is expected/],
    ["priority = 1 AND", /the name of a field/],
    ["priority = 1 OR OR", /./],
    ["(priority = 1", /"\)" is expected/],
    ["priority = 1)", /"\)" is not expected/],
    ['title = "open', /character 9: the text is not closed/],
    ["priority == 1", /a value is expected/],
    ["priority = 1, 2", /"," is not expected/],
    ["priority = 1\0", /NUL/],
    [`${"(".repeat(30)}priority = 1${")".repeat(30)}`, /levels deep/],
    [`${"NOT ".repeat(30)}priority = 1`, /levels deep/],
    ['"milk"', /the name of a field/],
  ])("%s", (filter, message) => {
    expect(refusal(filter)).toMatch(message);
    expect(refusal(filter)).toMatch(/^filter: at character \d+: /);
  });
});

describe("whatever is written", () => {
  const pieces = [
    ...["status", "priority", "title", "due", "create_time", "label_ids", "parent_task_id", "x", "constructor"],
    ...["=", "!=", "<", "<=", ">", ">=", ":", "(", ")", "-", "AND", "OR", "NOT", "*", '"', "'", "\\", ",", ".", " "],
    ...[
      "STATUS_OPEN",
      "3",
      "-1",
      "'a'",
      '"2026-11-30"',
      `"${id}"`,
      "'; DROP TABLE task; --",
      "$1",
      "\0",
      "\u{1f642}",
      "é",
    ],
  ];
  const whole = ["priority = 1", 'title:"a"', "due:*", `label_ids:${id}`, "AND", "OR", "NOT", "-", "(", ")"];
  /** A small generator with a seed, so that a failure can be had again. */
  function* numbers(seed: number): Generator<number> {
    for (let state = seed; ; ) {
      state = (state * 1_103_515_245 + 12_345) % 2_147_483_648;
      yield state;
    }
  }

  it("is read or refused, and never reaches the SQL", () => {
    const random = numbers(20_261_121);
    const next = (below: number) => Math.floor(((random.next().value as number) / 2_147_483_648) * below);
    const allowed =
      /^(?:[ ()@>=<!]|coalesce|left|cardinality|array|is not null|is null|is distinct from|and|or|not|like|ilike|false|, 10|,|t\.(?:status|priority|title|due_local|due_instant|create_time|update_time|complete_time|parent_task_id|assignee_ids|label_ids)| collate "C"|\$\d+::(?:smallint|integer|text|timestamptz|uuid)|[[\]]|0)+$/;
    let read = 0;
    for (let round = 0; round < 10_000; round += 1) {
      const words = round % 2 ? pieces : whole;
      const filter = Array.from({ length: 1 + next(10) }, () => words[next(words.length)]).join(next(3) ? " " : "");
      try {
        const condition = toCondition(filter, 1);
        if (condition !== undefined) {
          expect(condition.sql).toMatch(allowed);
          read += 1;
        }
      } catch (error) {
        expect(error).toBeInstanceOf(ServiceError);
        expect((error as ServiceError).fieldViolations.map(({ field }) => field)).toEqual(["filter"]);
      }
    }
    expect(read).toBeGreaterThan(300);
  });

  it("is taken as it is when it is quoted", () => {
    const evil = "'); DROP TABLE task; -- $1";
    expect(toCondition(`title = "${evil}"`, 1)).toEqual({ sql: "coalesce(t.title = $1::text, false)", params: [evil] });
  });
});
