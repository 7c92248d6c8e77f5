import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { rest } from "./calls.ts";
import { type Person, type Stack, startStack } from "./stack.ts";

// The planted bug: a change takes all that is given, whatever the mask names.
const planted = vi.hoisted(() => ({ bug: false }));
vi.mock("../../../services/task/domain/change.ts", async (original) => {
  const real = await original<typeof import("../../../services/task/domain/change.ts")>();
  const changedPaths: typeof real.changedPaths = (mask, input) => real.changedPaths(planted.bug ? [] : mask, input);
  return { ...real, changedPaths };
});

// fast-check prints the seed of a run that failed.
const seed = process.env.FUZZ_SEED === undefined ? {} : { seed: Number(process.env.FUZZ_SEED) };

type Json = Record<string, unknown>;

let stack: Stack;
let ada: Person;
const labels: string[] = [];
let parentTaskId: string;
beforeAll(async () => {
  stack = await startStack();
  ada = await stack.person();
  for (const name of ["home", "work", "garden"]) {
    labels.push((await rest(stack, ada, "POST /v1/labels", { body: { name } })).body.labelId);
  }
  parentTaskId = (await rest(stack, ada, "POST /v1/tasks", { body: { title: "above" } })).body.taskId;
});
afterAll(() => stack.close());

const text = fc
  .string({ unit: "grapheme", minLength: 1, maxLength: 20 })
  .filter((value) => !/[\p{Cc}\p{Cs}]/u.test(value));
const title = text.filter((value) => value.trim() !== "");
const date = fc.integer({ min: 1, max: 28 }).map((day) => `2026-12-${String(day).padStart(2, "0")}`);
const dateTime = fc.tuple(date, fc.integer({ min: 10, max: 23 })).map(([day, hour]) => `${day}T${hour}:30:00`);
const timeZone = fc.constantFrom("Europe/Berlin", "Asia/Tokyo", "UTC");
const rrule = fc.constantFrom("FREQ=DAILY", "FREQ=WEEKLY;BYDAY=MO,WE", "FREQ=MONTHLY;COUNT=3");
const exdates = fc.uniqueArray(date, { maxLength: 3 });
const labelIds = fc.subarray([0, 1, 2]).map((chosen) => chosen.map((index) => labels[index]));
const status = fc.constantFrom("STATUS_OPEN", "STATUS_IN_PROGRESS");
const priority = fc.integer({ min: 0, max: 4 });
const parent = fc.constant(0).map(() => parentTaskId);
const assignees = fc.subarray([0]).map((chosen) => chosen.map(() => ada.userId));

const due = fc.oneof(
  fc.record({ date }),
  fc.record({ dateTime }),
  fc.record({ dateTime, timeZone }),
) as fc.Arbitrary<Json>;
const recurrence = fc.record({ rrule, exdates, fromCompletion: fc.boolean() }, { requiredKeys: ["rrule"] });

/** A task as it is created. */
const wholeTask = fc
  .record(
    {
      title,
      description: text,
      status,
      priority,
      due,
      recurrence,
      labelIds,
      assigneeIds: assignees,
      parentTaskId: parent,
    },
    { requiredKeys: ["title"] },
  )
  // What recurs needs a due.
  .map(({ recurrence: rule, ...task }) =>
    task.due && rule ? { ...task, recurrence: rule } : task,
  ) as fc.Arbitrary<Json>;

const orNull = <T>(value: fc.Arbitrary<T>) => fc.option(value, { nil: null, freq: 3 });
const sparse = (fields: Record<string, fc.Arbitrary<unknown>>) =>
  fc.record(fields, { requiredKeys: [] }) as fc.Arbitrary<Json>;

/** A change: any subset of the fields, each with a value, null, or a part of what is in it. */
const patch = sparse({
  title: orNull(title),
  description: orNull(text),
  status: orNull(status),
  priority: orNull(priority),
  due: orNull(
    fc.oneof(due, sparse({ timeZone: orNull(timeZone), dateTime }).filter(isFull), sparse({ date }).filter(isFull)),
  ),
  recurrence: orNull(sparse({ rrule, exdates: orNull(exdates), fromCompletion: orNull(fc.boolean()) }).filter(isFull)),
  labelIds: orNull(labelIds),
  assigneeIds: orNull(assignees),
  parentTaskId: orNull(parent),
});

function isFull(value: Json): boolean {
  return Object.keys(value).length > 0;
}

const isObject = (value: unknown): value is Json =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** The paths that a change names, in JSON names. */
function pathsOf(change: Json, above = ""): string[] {
  return Object.entries(change).flatMap(([name, value]) =>
    isObject(value) ? pathsOf(value, `${above}${name}.`) : [`${above}${name}`],
  );
}

/** Every value of a task by its path. Absent and empty are the same: null clears. */
function leaves(task: Json, above = ""): Map<string, string> {
  const found = new Map<string, string>();
  for (const [name, value] of Object.entries(task)) {
    if (isObject(value)) for (const [path, leaf] of leaves(value, `${above}${name}.`)) found.set(path, leaf);
    else if (!isEmpty(value)) found.set(`${above}${name}`, JSON.stringify(value));
  }
  return found;
}

function isEmpty(value: unknown): boolean {
  return (
    value === null ||
    value === undefined ||
    value === "" ||
    value === 0 ||
    value === false ||
    (Array.isArray(value) && value.length === 0)
  );
}

/** What the server changes with every change. */
const bookkeeping = ["updateTime", "etag", "revision"];
const cleared: Json = { status: "STATUS_OPEN" };

/** The merge patch of RFC 7396, written down a second time; a due has a day or a time. */
function merged(before: Json, change: Json): Map<string, string> {
  const result = leaves(before);
  const given = leaves(change);
  for (const path of pathsOf(change)) {
    removeAt(result, path);
    const value = given.get(path) ?? (path in cleared ? JSON.stringify(cleared[path]) : undefined);
    if (value !== undefined) result.set(path, value);
  }
  const left = given.has("due.date") ? ["due.dateTime", "due.timeZone"] : given.has("due.dateTime") ? ["due.date"] : [];
  for (const path of left) if (!given.has(path)) result.delete(path);
  return result;
}

/** A field that is cleared takes all that is in it along. */
function removeAt(found: Map<string, string>, path: string): void {
  for (const known of found.keys()) if (known === path || known.startsWith(`${path}.`)) found.delete(known);
}

type Form = (taskId: string, change: Json, noise: Json) => Promise<{ status: number }>;

/** The ways to send a change. With a mask, what the mask does not name is noise. */
const forms: Record<string, Form> = {
  "a merge patch": (taskId, change) =>
    rest(stack, ada, `PATCH /v1/tasks/${taskId}`, {
      body: change,
      headers: { "content-type": "application/merge-patch+json" },
    }),
  "a mask in the query": (taskId, change, noise) =>
    rest(stack, ada, `PATCH /v1/tasks/${taskId}?updateMask=${maskOf(change)}`, { body: over(noise, change) }),
  "a mask by Connect": (taskId, change, noise) =>
    rest(stack, ada, "POST /task.v1.TaskService/UpdateTask", {
      body: { task: { ...over(noise, change), taskId }, updateMask: maskOf(change) },
    }),
};

const maskOf = (change: Json) => pathsOf(change).join(",");

/** The change laid over a whole other task. */
function over(noise: Json, change: Json): Json {
  const result: Json = { ...noise };
  for (const [name, value] of Object.entries(change)) {
    const below = noise[name];
    result[name] = isObject(value) && isObject(below) ? over(below, value) : value;
  }
  return result;
}

/** Changes tasks at random in one of the forms, and compares what is named and what is not. Answers how many changes were made. */
async function changeAtRandom(send: Form, options: { numRuns: number; endOnFailure?: boolean }): Promise<number> {
  let accepted = 0;
  const property = fc.asyncProperty(wholeTask, patch.filter(isFull), wholeTask, async (task, change, noise) => {
    const created = await rest(stack, ada, "POST /v1/tasks", { body: task });
    expect(created).toMatchObject({ status: 200 });
    const path = `GET /v1/tasks/${created.body.taskId}`;
    const before = (await rest(stack, ada, path)).body;
    const { status: answered } = await send(before.taskId, change, noise);
    const after = (await rest(stack, ada, path)).body;
    if (answered !== 200) {
      expect(answered).toBe(400);
      expect(after).toEqual(before);
      return;
    }
    accepted += 1;
    const expected = merged(before, change);
    const found = leaves(after);
    for (const bookkept of bookkeeping) for (const side of [expected, found]) side.delete(bookkept);
    expect(Object.fromEntries(found)).toEqual(Object.fromEntries(expected));
  });
  await fc.assert(property, { ...options, ...seed });
  return accepted;
}

describe("[task.18] [edge.14] a change of a task", () => {
  it.each(Object.entries(forms))("by %s never touches what it does not name", async (_, send) => {
    expect(await changeAtRandom(send, { numRuns: 80 })).toBeGreaterThan(20);
  });

  it("would be found out if it took more than the mask names", async () => {
    planted.bug = true;
    try {
      const send = forms["a mask in the query"] as Form;
      await expect(changeAtRandom(send, { numRuns: 80, endOnFailure: true })).rejects.toThrow("Property failed");
    } finally {
      planted.bug = false;
    }
  });
});

const profilePatch = sparse({
  displayName: orNull(title.map((value) => value.trim())),
  locale: orNull(fc.constantFrom("en", "de-CH", "pt-BR")),
  timeZone: orNull(timeZone),
}).filter(isFull);

it.each([false, true])(
  "[task.18] a change of a profile never touches what it does not name (mask: %s)",
  async (withMask) => {
    const property = fc.asyncProperty(profilePatch, profilePatch, async (change, noise) => {
      const before = (await rest(stack, ada, "GET /v1/me")).body;
      const query = withMask ? `?updateMask=${maskOf(change)}` : "";
      const body = withMask ? { ...noise, ...change } : change;
      const reply = await rest(stack, ada, `PATCH /v1/me${query}`, { body });
      expect(reply.status).toBe(200);
      const after = (await rest(stack, ada, "GET /v1/me")).body;
      const defaults: Json = { displayName: ada.email.split("@")[0], locale: "en", timeZone: "UTC" };
      for (const [name, value] of Object.entries(before)) {
        if (bookkeeping.includes(name)) continue;
        const expected = name in change ? (change[name] ?? defaults[name]) : value;
        expect([name, after[name]]).toEqual([name, expected]);
      }
    });
    await fc.assert(property, { numRuns: 60, ...seed });
  },
);
