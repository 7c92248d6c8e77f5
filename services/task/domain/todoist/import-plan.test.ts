import { describe, expect, it } from "vitest";
import { type ImportPlan, planImport } from "./import-plan.ts";

// A project export of Todoist, from the test data of bboc/todoist-converter, with one address shortened.
const realExport = `TYPE,CONTENT,PRIORITY,INDENT,AUTHOR,RESPONSIBLE,DATE,DATE_LANG,TIMEZONE
task,@errands test project task with deadline and all the other stuff,1,1,Bernhard (1846598),,in 5 days,en,Europe/Berlin
note,first comment blah blah,,,Bernhard (1846598),,,,
note,second comment,,,Bernhard (1846598),,,,
note," [[file {""file_type"":""image\\/png"",""file_name"":""edit.png"",""tn_s"":[""https:\\/\\/example.com\\/s.png"",96,96],""file_url"":""https:\\/\\/example.com\\/edit.png"",""file_size"":9999,""upload_state"":""completed""}]]",,,Bernhard (1846598),,,,
,,,,,,,,
task,test project subtask,4,2,Bernhard (1846598),,,en,Europe/Berlin
,,,,,,,,
task,test project alternate task,4,1,Bernhard (1846598),,,en,Europe/Berlin
,,,,,,,,`;

const header = "TYPE,CONTENT,PRIORITY,INDENT,AUTHOR,RESPONSIBLE,DATE,DATE_LANG,TIMEZONE";

async function plan(text: string, timeZone = "UTC"): Promise<ImportPlan> {
  const frame = { timeZone, now: new Date("2026-11-21T11:00:00Z"), breathe: async () => {} };
  return planImport(new TextEncoder().encode(text), frame);
}

const tasks = (...records: string[]) => plan([header, ...records].join("\n"));

it("reads a real export", async () => {
  expect(await plan(realExport)).toEqual({
    tasks: [
      {
        title: "test project task with deadline and all the other stuff",
        description: "",
        labels: ["errands"],
        priority: 4,
        due: { local: "2026-11-26", timeZone: null },
        recurrence: null,
        parent: undefined,
        comments: ["first comment blah blah", "second comment", "edit.png: https://example.com/edit.png"],
      },
      {
        title: "test project subtask",
        description: "",
        labels: [],
        priority: 0,
        due: null,
        recurrence: null,
        parent: 0,
        comments: [],
      },
      {
        title: "test project alternate task",
        description: "",
        labels: [],
        priority: 0,
        due: null,
        recurrence: null,
        parent: undefined,
        comments: [],
      },
    ],
    skipped: [],
  });
});

describe("levels", () => {
  it("make a tree", async () => {
    const { tasks: planned, skipped } = await tasks(
      "task,a,4,1,,,,,",
      "task,b,4,2,,,,,",
      "task,c,4,3,,,,,",
      "task,d,4,2,,,,,",
      "task,e,4,1,,,,,",
      "task,f,4,2,,,,,",
    );
    expect(planned.map(({ parent }) => parent)).toEqual([undefined, 0, 1, 0, undefined, 4]);
    expect(skipped).toEqual([]);
  });

  it("that cannot be are brought to the nearest, and that is said", async () => {
    const { tasks: planned, skipped } = await tasks(
      "task,a,4,3,,,,,",
      "task,b,4,4,,,,,",
      "task,c,4,x,,,,,",
      "task,d,4,0,,,,,",
    );
    expect(planned.map(({ parent }) => parent)).toEqual([undefined, 0, undefined, undefined]);
    expect(skipped.map(({ line }) => line)).toEqual([2, 3, 4, 5]);
  });

  it("end at the fifth", async () => {
    const { tasks: planned, skipped } = await tasks(
      ...[1, 2, 3, 4, 5, 6].map((level) => `task,t${level},4,${level},,,,,`),
    );
    expect(planned.map(({ parent }) => parent)).toEqual([undefined, 0, 1, 2, 3, 3]);
    expect(skipped).toEqual([{ line: 7, reason: expect.stringContaining("level 5") }]);
  });
});

it.each<[string, number]>([
  ["1", 4],
  ["2", 3],
  ["3", 2],
  ["4", 0],
  ["", 0],
])("Todoist's priority %j is %d here", async (given, priority) => {
  expect((await tasks(`task,a,${given},1,,,,,`)).tasks[0]?.priority).toBe(priority);
});

it.each<[string, string[], number, RegExp]>([
  ["a section", ["section,Later,,,,,,,"], 2, /sections/],
  ["another type", ["meta,view_style=list,,,,,,,"], 2, /"meta"/],
  ["a note before any task", ["note,a,,,,,,,", "task,b,4,1,,,,,"], 2, /belongs to no task/],
  ["an empty note", ["task,b,4,1,,,,,", "note, ,,,,,,,"], 3, /note has no text/],
  ["a task without text", ["task, ,4,1,,,,,"], 2, /no text/],
  ["a priority that is none", ["task,a,7,1,,,,,"], 2, /priority/],
  ["a date that is none", ["task,a,4,1,,,some day,en,"], 2, /not understood; the task has no due/],
  ["a zone that is none", ["task,a,4,1,,,tomorrow,en,Mars/Olympus"], 2, /time zone is not known; UTC/],
  ["somebody responsible", ["task,a,4,1,,Bob (1),,,"], 2, /responsible/],
])("%s is named", async (_, records, line, reason) => {
  expect((await tasks(...records)).skipped).toEqual([{ line, reason: expect.stringMatching(reason) }]);
});

it("gives the notes of a task that is left out to nobody", async () => {
  const { tasks: planned, skipped } = await tasks("task,a,4,1,,,,,", "task, ,4,1,,,,,", "note,lost,,,,,,,");
  expect(planned[0]?.comments).toEqual([]);
  expect(skipped.map(({ line }) => line)).toEqual([3, 4]);
});

it("takes dates without a zone in the zone of the call", async () => {
  const { tasks: planned } = await plan(`${header}\ntask,a,4,1,,,tomorrow 9am,en,\n`, "Asia/Tokyo");
  expect(planned[0]?.due).toEqual({ local: "2026-11-22T09:00:00", timeZone: "Asia/Tokyo" });
});

it("takes 5000 tasks and no more", async () => {
  const many = (count: number) => `${header}\n${"task,a,4,1,,,,,\n".repeat(count)}`;
  expect((await plan(many(5000))).tasks).toHaveLength(5000);
  await expect(plan(many(5001))).rejects.toMatchObject({ fieldViolations: [{ field: "content" }] });
});
