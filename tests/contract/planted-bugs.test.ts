import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { TestMesh } from "../_util/mesh.ts";
import { nameOf, publicMethods } from "./protocols.ts";
import type { Report } from "./report.ts";
import { fuzzEnvironment, run } from "./run.ts";

const calls = 1_500;
const planted = "mutants/planted.ts";

describe("the contract tests turn red", () => {
  let mesh: TestMesh;
  beforeAll(async () => {
    mesh = await TestMesh.start({ env: fuzzEnvironment, mutant: new URL(planted, import.meta.url) });
  });
  afterAll(() => mesh?.stop());

  async function findingsOf(...names: string[]): Promise<string[]> {
    const methods = publicMethods.filter((method) => names.includes(nameOf(method)));
    const report: Report = await run({
      edge: mesh.edge,
      seed: 1,
      calls,
      limits: { slowMs: 60_000, shared: false },
      methods,
      findings: 1,
    });
    return report.findings.map(({ what }) => what);
  }

  it("when one protocol answers with another code", async () => {
    const found = await findingsOf("task.v1.TaskService/GetTask");
    expect(found.some((what) => what.includes("gRPC and REST differ") && what.includes('"code":3'))).toBe(true);
    expect(found.some((what) => what.includes("gRPC and Connect"))).toBe(false);
  });

  it("when one protocol answers with another body", async () => {
    const found = await findingsOf("user.v1.UserService/GetMe");
    expect(found.some((what) => what.includes("gRPC and REST differ") && what.includes("Own"))).toBe(true);
  });

  it("when a valid message is answered with a fault, by all of them alike", async () => {
    const found = await findingsOf("task.v1.TaskService/CreateLabel");
    expect(found).toContainEqual(expect.stringMatching(/^gRPC: INTERNAL/));
    expect(found.some((what) => what.includes("differ"))).toBe(false);
  });

  it("when a rule of the proto file is not kept", async () => {
    const found = await findingsOf("task.v1.TaskService/ListComments");
    expect(found.some((what) => what.includes("page_size taken as good"))).toBe(true);
  });

  it("when a client's message makes a process end", async () => {
    const before = (await mesh.status()).instances.find(({ name }) => name === "notification-1");
    const found = await findingsOf("notification.v1.NotificationService/MarkRead");
    expect(found).toContainEqual(expect.stringMatching(/UNAVAILABLE/));
    const after = (await mesh.status()).instances.find(({ name }) => name === "notification-1");
    expect(after?.pid).not.toBe(before?.pid);
  });

  it("and for no other call", async () => {
    expect(await findingsOf("task.v1.TaskService/ListLabels", "task.v1.TaskService/CreateTask")).toEqual([]);
  });
});
