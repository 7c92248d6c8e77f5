import { afterEach, describe, expect, it } from "vitest";
import { TestMesh } from "../_util/mesh.ts";
import { redeliverEverything } from "./redelivery.ts";
import { raise, reached, untilAllReached } from "./storm.ts";

const mutant = (name: string) => new URL(`./mutants/${name}.ts`, import.meta.url);

describe("the proof turns red", () => {
  let mesh: TestMesh;
  afterEach(() => mesh?.stop());

  it("when the inbox is taken out: a second delivery reaches people again", async () => {
    mesh = await TestMesh.start({ mutant: mutant("without-inbox") });
    const expected = await raise({ mesh, tasks: 12, victims: [] });
    await untilAllReached(mesh, expected);
    await redeliverEverything(mesh);
    const notified = (await reached(mesh, expected)).flatMap((lists) => lists.notified);
    expect(notified.length).toBeGreaterThan(12);
  });

  it("when events leave outside the transaction: a killed service takes some with it", async () => {
    mesh = await TestMesh.start({ mutant: mutant("without-outbox-transaction") });
    const expected = await raise({ mesh, tasks: 120, victims: ["task-1", "task-1", "task-1"] });
    const complete = untilAllReached(mesh, expected, 30_000);
    await expect(complete).rejects.toThrow("waited in vain for: everybody to be reached");
  });
});
