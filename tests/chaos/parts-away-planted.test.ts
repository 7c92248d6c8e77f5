import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { play } from "./away/scenarios.ts";
import { Stage } from "./away/stage.ts";

const size = { seconds: 2, rps: 40, patienceMs: 10_000 };

// One mesh with a bug for each of them: it shows only while that part is away.
describe("the proof turns red", () => {
  let stage: Stage;
  beforeAll(async () => {
    stage = await Stage.open({ mutant: new URL("./mutants/parts-away.ts", import.meta.url) });
  });
  afterAll(() => stage?.close());

  it("when limits insist on Redis", async () => {
    expect((await play(stage, "R8", size)).violations.join("\n")).toMatch(/calls failed: 500/);
  });

  it("when a database that is away is an internal error", async () => {
    expect((await play(stage, "R10", size)).violations.join("\n")).toMatch(/not all failures are 503 .*500 INTERNAL/);
  });

  it("when the relay gives up while Kafka is away", async () => {
    expect((await play(stage, "R9", size)).violations.join("\n")).toMatch(/were never told of/);
  });

  it("when a span that cannot be sent is an error of the process", async () => {
    expect((await play(stage, "R11", size)).violations.join("\n")).toMatch(/ended by themselves/);
  });

  it("when work is dealt out to workers that are gone", async () => {
    await expect(play(stage, "worker", size)).rejects.toThrow("1 workers to share");
  });
});
