import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { TestMesh } from "../_util/mesh.ts";
import { play } from "./away/scenarios.ts";
import { Stage } from "./away/stage.ts";
import { redeliverEverything } from "./redelivery.ts";
import { raise, reached, untilAllReached } from "./storm.ts";

const mutant = (name: string) => new URL(`./mutants/${name}.ts`, import.meta.url);

describe("the proof turns red", () => {
  describe("in a mesh with two bugs", () => {
    let stage: Stage;
    beforeAll(async () => {
      // A sign of life must not hide that nothing else is told.
      const env = { NOTIFICATION_HEARTBEAT: "60" };
      stage = await Stage.open({ mutant: mutant("without-inbox-needs-redis"), env });
    });
    afterAll(() => stage?.close());

    it("when the inbox is taken out: a second delivery reaches people again", async () => {
      const { mesh } = stage;
      const expected = await raise({ mesh, tasks: 12, victims: [] });
      await untilAllReached(mesh, expected);
      await redeliverEverything(mesh);
      const notified = (await reached(mesh, expected)).flatMap((lists) => lists.notified);
      expect(notified.length).toBeGreaterThan(12);
    });

    it("when Redis is needed: calls fail without it, and streams fall silent", async () => {
      const { violations } = await play(stage, "R8", { seconds: 1, rps: 20, patienceMs: 4_000 });
      expect(violations).toContainEqual(expect.stringMatching(/calls failed: .*500/));
      expect(violations).toContainEqual(
        expect.stringMatching(/the stream to tell of a task while Redis (is dead|hangs)/),
      );
    });
  });

  let mesh: TestMesh;
  afterEach(() => mesh?.stop());

  it("when events leave outside the transaction: a killed service takes some with it", async () => {
    mesh = await TestMesh.start({ mutant: mutant("without-outbox-transaction") });
    const expected = await raise({ mesh, tasks: 120, victims: ["task-1", "task-1", "task-1"] });
    const complete = untilAllReached(mesh, expected, 30_000);
    await expect(complete).rejects.toThrow("waited in vain for: everybody to be reached");
  });
});
