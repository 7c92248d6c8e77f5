import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { TestMesh } from "../_util/mesh.ts";
import { redeliverEverything } from "./redelivery.ts";
import { type Expected, lostTasks, raise, reached, untilAllReached } from "./storm.ts";

const victims = [
  "gateway-1",
  "auth-1",
  "user-1",
  "task-1",
  "notification-1",
  "consumers-1",
  "envoy",
  "kafka",
  "redis",
  "postgres",
];

describe("300 tasks, and every process and part killed once on the way", () => {
  let mesh: TestMesh;
  let expected: Expected;

  beforeAll(async () => {
    mesh = await TestMesh.start();
    expected = await raise({ mesh, tasks: 300, victims });
  });
  afterAll(() => mesh?.stop());

  it("loses no acknowledged task", async () => {
    expect(await lostTasks(expected)).toEqual([]);
  });

  it("reaches each recipient exactly once, in the inbox and by mail [pain.03]", async () => {
    await untilAllReached(mesh, expected);
    await expectOnce(mesh, expected);
  });

  it("reaches nobody again when every event is delivered a second time", async () => {
    await redeliverEverything(mesh);
    await expectOnce(mesh, expected);
  });
});

async function expectOnce(mesh: TestMesh, expected: Expected): Promise<void> {
  for (const [index, { notified, mailed }] of (await reached(mesh, expected)).entries()) {
    const wanted = [...(expected.recipients[index]?.taskIds ?? [])].sort();
    expect(notified.sort()).toEqual(wanted);
    expect(mailed.sort()).toEqual(wanted);
  }
}
