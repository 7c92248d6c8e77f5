import { type DescField, type DescMessage, type DescMethod, ScalarType } from "@bufbuild/protobuf";
import { afterAll, beforeAll, expect, it } from "vitest";
import { TaskService } from "#gen/task/v1/task_service_pb.js";
import { Code, codeName, ServiceError } from "#kit/errors.ts";
import type { CallOptions } from "#kit/grpc/client.ts";
import { newId } from "#kit/id.ts";
import { type Caller, startStage, type TaskStage } from "./service.ts";

let stage: TaskStage;
beforeAll(async () => {
  stage = await startStage("task fuzz");
});
afterAll(() => stage.close());

const seed = 20_261_121;
const expected: Code[] = [
  Code.INVALID_ARGUMENT,
  Code.NOT_FOUND,
  Code.ALREADY_EXISTS,
  Code.ABORTED,
  Code.FAILED_PRECONDITION,
  Code.PERMISSION_DENIED,
];

class Chance {
  #state: number;

  constructor(start: number) {
    this.#state = start;
  }

  below(bound: number): number {
    this.#state = (this.#state * 1_103_515_245 + 12_345) % 2_147_483_648;
    return Math.floor((this.#state / 2_147_483_648) * bound);
  }

  of<T>(choices: readonly T[]): T {
    return choices[this.below(choices.length)] as T;
  }
}

const oddTexts = [
  "",
  " ",
  "x",
  "\0",
  "'; DROP TABLE task; --",
  "🙂".repeat(200),
  "\u202e",
  "a\nb",
  "%",
  "\\",
  "$1",
  "*",
  "null",
];
const knownTexts: Record<string, string[]> = {
  date: ["2026-11-30", "2026-02-30", "9999-12-31", "0001-01-01"],
  dateTime: ["2026-11-30T09:00:00", "9999-12-31T23:59:59", "2027-03-28T02:30:00"],
  timeZone: ["Europe/Berlin", "America/New_York", "Etc/GMT+12", "Mars/X"],
  rrule: ["FREQ=DAILY", "FREQ=WEEKLY;BYDAY=MO;COUNT=2", "FREQ=HOURLY", "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30", "FREQ="],
  exdates: ["2026-12-25", "2026-02-30"],
  filter: ["status = STATUS_OPEN", "priority > 1 OR due:*", 'title = "*"', "(", 'due < "9999-12-31"', 'title:"%"'],
  orderBy: ["priority desc, due", "title", "due desc, title, priority", "x"],
  paths: ["*", "title", "due", "due.date", "recurrence.rrule", "status", "parent_task_id", "owner_id", "x"],
  email: ["somebody@example.com", "x@"],
  title: ["Buy milk", "Water the plants"],
};

/** Fields that calls cannot do without; they are left out now and then all the same. */
const usual = new Set(["task", "taskId", "title", "text", "name", "format", "content", "userId", "role"]);

const enumNumbers = [1, 2, 3, 0, 1, 2, 3, 4, 99, -1];

/** A message of any shape: known values, odd ones, or none, field by field. */
function anything(desc: DescMessage, chance: Chance, ids: readonly string[]): Record<string, unknown> {
  const entries = desc.fields
    .filter(({ localName }) => chance.below(8) > (usual.has(localName) ? 0 : 5))
    .map((field) => [field.localName, anyValue(field, chance, ids)]);
  return Object.fromEntries(entries);
}

function anyValue(field: DescField, chance: Chance, ids: readonly string[]): unknown {
  if (field.fieldKind === "list") {
    const one = () => {
      if (field.listKind === "enum") return chance.of(enumNumbers);
      return field.listKind === "scalar" ? textOf(field, chance, ids) : {};
    };
    return Array.from({ length: chance.below(4) }, one);
  }
  if (field.fieldKind === "message") return anything(field.message, chance, ids);
  if (field.fieldKind === "enum") return chance.of(enumNumbers);
  if (field.fieldKind !== "scalar") return undefined;
  switch (field.scalar) {
    case ScalarType.STRING:
      return textOf(field, chance, ids);
    case ScalarType.BYTES:
      return new TextEncoder().encode(
        chance.of([
          "TYPE,CONTENT\ntask,a\n",
          'TYPE,CONTENT\ntask,"a',
          "",
          "\xff",
          "TYPE,CONTENT,DATE\ntask,a,every day\n",
        ]),
      );
    case ScalarType.BOOL:
      return chance.below(2) === 1;
    case ScalarType.INT64:
      return chance.of([0n, 1n, -1n, 9_223_372_036_854_775_807n, 253_402_300_800n]);
    default:
      return chance.of([0, 1, 3, 4, 5, -1, 1000, 1001, 2_147_483_647]);
  }
}

function textOf(field: DescField, chance: Chance, ids: readonly string[]): string {
  const isId = /Ids?$/.test(field.localName);
  const known = isId ? ids : (knownTexts[field.localName] ?? []);
  return known.length > 0 && chance.below(12) > 0 ? chance.of(known) : chance.of(oddTexts);
}

it("answers whatever is sent with a status that says what is wrong, and never with a fault of its own", async () => {
  const chance = new Chance(seed);
  const people = [stage.person("Ada"), stage.person("Bob")];
  const ids = [newId(), ...people.map(({ userId }) => userId)];
  for (const { client, as } of people) {
    const { label } = await client.createLabel({ name: "l" }, as());
    const { task } = await client.createTask({ task: { title: "t" } }, as());
    ids.push(label?.labelId ?? "", task?.taskId ?? "");
  }
  const succeeded = new Set<string>();
  for (let round = 0; round < 2500; round += 1) {
    const method = chance.of<DescMethod>(TaskService.methods);
    const caller = chance.of(people);
    const request = anything(method.input, chance, ids);
    const code = await outcomeOf(caller, method, request, { "if-match": chance.of(["", "", "", "*", "x"]) });
    if (code === undefined) succeeded.add(method.name);
    const told = { seed, round, method: method.name, code: codeName(code ?? 0), request };
    expect([told, code === undefined || expected.includes(code)]).toEqual([told, true]);
  }
  expect(succeeded.size).toBeGreaterThanOrEqual(10);
});

/** The status of a refusal; undefined when the call succeeded. */
async function outcomeOf(caller: Caller, method: DescMethod, request: object, headers: Record<string, string>) {
  const call = caller.client[method.localName as keyof Caller["client"]] as (
    request: object,
    options: CallOptions,
  ) => Promise<unknown>;
  try {
    await call(request, caller.as(headers));
    return undefined;
  } catch (error) {
    if (!(error instanceof ServiceError)) throw error;
    if (error.code === Code.INVALID_ARGUMENT) expect(error.fieldViolations).not.toEqual([]);
    return error.code;
  }
}
