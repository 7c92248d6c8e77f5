import { expect, it } from "vitest";
import type { ServiceError } from "#kit/errors.ts";
import { readRecords } from "./records.ts";

const bytes = (text: string) => new TextEncoder().encode(text);
const header = "TYPE,CONTENT,PRIORITY,INDENT,AUTHOR,RESPONSIBLE,DATE,DATE_LANG,TIMEZONE";

function refusal(content: Uint8Array): string {
  try {
    readRecords(content);
  } catch (error) {
    const { fieldViolations } = error as ServiceError;
    expect(fieldViolations.map(({ field }) => field)).toEqual(["content"]);
    return fieldViolations[0]?.description ?? "";
  }
  return "none";
}

it.each([
  ["\n", ""],
  ["\r\n", ""],
  ["\r\n", "\ufeff"],
  ["\n", "\ufeff"],
])("reads lines that end with %j, after a mark of %j", (newline, mark) => {
  const text = [
    header,
    'task,"Buy milk, eggs",1,1,,,in 5 days,en,Europe/Berlin',
    ",,,,,,,,",
    'note,"say ""hi""",,,,,,,',
    "",
  ];
  expect(readRecords(bytes(mark + text.join(newline)))).toMatchObject([
    { line: 2, type: "task", content: "Buy milk, eggs", priority: "1", date: "in 5 days", timeZone: "Europe/Berlin" },
    { line: 4, type: "note", content: 'say "hi"' },
  ]);
});

it("counts lines within quotes, and leaves out lines that are empty", () => {
  const text = `${header}\n\ntask,"one\ntwo",1,1,,,,,\n\n\ntask,three,1,1,,,,,\n`;
  expect(readRecords(bytes(text)).map(({ line, content }) => [line, content])).toEqual([
    [3, "one\ntwo"],
    [7, "three"],
  ]);
});

it("knows the columns by name, also those of newer exports", () => {
  const text = "TYPE,CONTENT,DESCRIPTION,IS_COLLAPSED,PRIORITY\ntask,a,b,true,2\n";
  expect(readRecords(bytes(text))).toMatchObject([{ content: "a", description: "b", priority: "2", indent: "" }]);
});

it.each<[string, Uint8Array, RegExp]>([
  ["nothing", bytes(""), /line 1: the file is empty/],
  ["another header", bytes("a,b\n1,2\n"), /line 1: the header needs/],
  ["no header", bytes("task,Buy milk,1,1,,,,,\n"), /line 1: the header needs/],
  ["a quote that stays open", bytes(`${header}\ntask,a,1,1,,,,,\ntask,"b,1,1,,,,,\n`), /line 3: a quote is opened/],
  ["a quote within a field", bytes(`${header}\ntask,a "b" c,1,1,,,,,\n`), /line 2: a quote stands/],
  ["text after a quote", bytes(`${header}\ntask,"a"b,1,1,,,,,\n`), /line 2: something follows/],
  ["too few fields", bytes(`${header}\ntask,a,1\n`), /line 2: 3 fields where the header has 9/],
  ["too many fields", bytes(`${header}\n\ntask,a,1,1,,,,,,\n`), /line 3: 10 fields where the header has 9/],
  [
    "Latin-1",
    new Uint8Array([...bytes(`${header}\ntask,caf`), 0xe9, ...bytes(",1,1,,,,,\n")]),
    /line 2: the text is not UTF-8/,
  ],
  ["UTF-16", new Uint8Array([0xff, 0xfe, 0x54, 0x00]), /line 1: the text is not UTF-8/],
  ["too much", bytes(`${header}\n${",,,,,,,,\n".repeat(20_001)}`), /line 20002: more than 20000 records/],
])("refuses %s and names the line", (_, content, reason) => {
  expect(refusal(content)).toMatch(reason);
});
