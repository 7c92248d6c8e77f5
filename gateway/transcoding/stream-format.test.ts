import { describe, expect, test } from "vitest";
import { chooseStreamFormat, streamFormats } from "./stream-format.ts";

const formatOf = (mediaType: string) => {
  const found = streamFormats.find((format) => format.mediaType === mediaType);
  if (found === undefined) throw new Error(`no ${mediaType}`);
  return found;
};

test.each([
  [undefined, "application/x-ndjson"],
  ["text/event-stream", "text/event-stream"],
  ["text/event-stream, */*;q=0.1", "text/event-stream"],
  ["application/x-ndjson, text/event-stream", "application/x-ndjson"],
  ["application/jsonl, application/ndjson", "application/jsonl"],
  ["application/json", undefined],
  ["text/event-stream;q=0", undefined],
])("Accept %j is answered with %j", (accept, mediaType) => {
  expect(chooseStreamFormat(accept)?.mediaType).toBe(mediaType);
});

describe("lines", () => {
  const format = formatOf("application/x-ndjson");
  test("tell a message from an error, whatever the message is called", () => {
    expect(format.message('{"error":1}', "c")).toBe('{"result":{"error":1}}\n');
    expect(format.error("{}")).toBe('{"error":{}}\n');
    expect([format.begin, format.end, format.silence]).toEqual(["", "", undefined]);
  });
});

describe("events", () => {
  const format = formatOf("text/event-stream");
  test("have the cursor as their id, unless it would break the event", () => {
    expect(format.message("{}", "c1")).toBe("id: c1\ndata: {}\n\n");
    expect(format.message("{}")).toBe("data: {}\n\n");
    for (const cursor of ["a\nb", "a\rb", "a\0b", ""]) expect(format.message("{}", cursor)).toBe("data: {}\n\n");
  });

  test("say when to come back, and never so soon that a server would be stormed", () => {
    expect(format.error("{}", 2500.2)).toBe("retry: 2501\nevent: error\ndata: {}\n\n");
    expect(format.error("{}", 0)).toBe("retry: 1000\nevent: error\ndata: {}\n\n");
    expect(format.error("{}")).toBe("event: error\ndata: {}\n\n");
  });

  test("of life are comments, and the end is an event that a browser hands on", () => {
    expect(format.silence).toMatch(/^: ?\n\n$/);
    expect(format.end).toMatch(/^event: end\ndata: .+\n\n$/);
  });
});
