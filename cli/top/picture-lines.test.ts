import { PassThrough } from "node:stream";
import type { ReadStream, WriteStream } from "node:tty";
import { describe, expect, test } from "vitest";
import type { Picture } from "../ops/picture.ts";
import { colourInk, inkFor, plainInk } from "./ink.ts";
import { pictureLines } from "./picture-lines.ts";
import { Screen } from "./screen.ts";

const flow = { rate: 120.4, errors: 0, refused: 3, p50: 0.0012, p95: 0.034, p99: 1.2 };
const picture: Picture = {
  time: "2026-01-02T03:04:05.000Z",
  spanMs: 5000,
  places: [
    { id: "clients", title: "Clients", kind: "clients" },
    { id: "edge", title: "Envoy edge", kind: "edge" },
  ],
  edges: [
    { from: "clients", to: "edge", unit: "requests", ...flow, errors: 2 },
    { from: "mesh", to: "user", unit: "calls", rate: 0, errors: 0, refused: 0 },
  ],
  methods: [],
  instances: [
    { name: "consumers-1", unit: "consumers", status: "ready", cpu: 0.5, memoryBytes: 104_857_600, partitions: 2 },
    { name: "task-1", unit: "task", status: "restarting", restarts: 3 },
  ],
  groups: [
    {
      group: "notification",
      lag: 4,
      rate: 1,
      errors: 0,
      deadLetters: 2,
      members: ["consumers-1"],
      topics: [
        {
          topic: "task.events.v1",
          lag: 4,
          partitions: [
            { partition: 0, instance: "consumers-1", lag: 4, end: 9 },
            { partition: 1, lag: 0, end: 9 },
          ],
        },
      ],
    },
  ],
  leaders: [{ work: "outbox of task", ageSeconds: 3, rate: 1 }],
  limits: [],
  faults: ["kafka: no answer"],
};

describe("pictureLines", () => {
  test.each([80, 100, 200])("fits into %d columns and says the same", (width) => {
    const lines = pictureLines(picture, { width, ink: plainInk });
    expect(lines.filter((line) => line.length > width)).toEqual([]);
    const text = lines.join("\n");
    expect(text).toMatch(/^taskmesh 03:04:05Z · 120 req\/s · 2.0 err\/s · p95 34ms · lag 4/);
    expect(text).toMatch(/Clients → Envoy edge .* 120 +2\.0 .* 1\.2ms +34ms/);
    expect(text).not.toContain("user");
    expect(text).toContain("notification  lag 4  1.0 events/s  2 dead letters\n");
    expect(text).toMatch(/task\.events\.v1 +a\? {2}lag 4/);
    expect(text).toContain("a consumers-1  ? nobody");
    expect(text).toMatch(/task-1 +restarting/);
    expect(text).toMatch(/outbox of task +nobody +3\.0s/);
    expect(text).toContain("kafka: no answer");
  });

  test("paints what is wrong, and only for a terminal that wants colours", () => {
    const red = "\u001b[31m";
    expect(pictureLines(picture, { width: 100, ink: colourInk }).join("\n")).toContain(`${red}kafka: no answer`);
    expect(inkFor(true, {})).toBe(colourInk);
    expect(inkFor(true, { NO_COLOR: "1" })).toBe(plainInk);
    expect(inkFor(false, {})).toBe(plainInk);
  });
});

describe("Screen", () => {
  function terminal(rows: number) {
    const [output, input] = [new PassThrough(), new PassThrough()];
    let quits = 0;
    let raw = false;
    Object.assign(output, { columns: 80, rows });
    Object.assign(input, { isTTY: true, setRawMode: (on: boolean) => (raw = on) });
    const events = { quit: () => void quits++, resized: () => {} };
    const screen = new Screen(output as unknown as WriteStream, input as unknown as ReadStream, events);
    const written = () => String(output.read() ?? "");
    return { screen, input, written, quits: () => quits, raw: () => raw };
  }

  test("gives the terminal back as it was", () => {
    const { screen, written, raw } = terminal(5);
    screen.open();
    expect(raw()).toBe(true);
    expect(written()).toContain("\u001b[?1049h");
    screen.close();
    screen.close();
    expect(raw()).toBe(false);
    expect(written().split("\u001b[?1049l")).toHaveLength(2);
  });

  test("shows what there is room for, scrolls, and clears nothing but what is left over", () => {
    const { screen, input, written } = terminal(2);
    screen.open();
    written();
    screen.show(["one", "two", "three"]);
    const first = written();
    expect(first).toContain("one");
    expect(first).not.toContain("three");
    expect(first).not.toContain("\u001b[2J");
    input.emit("data", Buffer.from("j"));
    const second = written();
    expect(second).toContain("three");
    expect(second).not.toContain("one");
    screen.close();
  });

  test.each(["q", "\u0003", "\u001b"])("ends with %j", (key) => {
    const { screen, input, quits } = terminal(5);
    screen.open();
    input.emit("data", Buffer.from(key));
    expect(quits()).toBe(1);
    screen.close();
  });
});
