import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { TestMesh } from "../_util/mesh.ts";
import { call, Person } from "../_util/person.ts";
import { until } from "../_util/until.ts";
import { TraceContract } from "./contract.ts";
import { expectedTree } from "./expected.ts";
import { hits, logsOf, tracesOf } from "./stores.ts";
import { type Begun, begin, differencesOf } from "./traced.ts";

const title = "canary0f7e1d2c";
const email = "canary3b9a8c7d@example.com";
const canaries = [
  { kind: "title", text: title, secret: false },
  { kind: "mail address", text: email, secret: false },
];

let mesh: TestMesh;
let faults: { register: string[]; create: string[] };

beforeAll(async () => {
  mesh = await TestMesh.start({ mutant: new URL("mutants/telling.ts", import.meta.url) });
  const contract = new TraceContract();
  const [ann, bob] = await Promise.all([Person.register(mesh.edge, "Ann"), Person.register(mesh.edge, "Bob")]);
  const [register, create] = [begin(), begin()];
  const headers = ({ traceparent }: Begun) => ({ headers: { traceparent } });
  await call(mesh.edge, "POST /v1/auth/register", { email, password: "a good password" }, headers(register));
  await ann.ask("POST /v1/tasks", { title, assigneeIds: [bob.userId] }, headers(create));
  const differing = (rpc: string, trace: Begun) => differencesOf(mesh.jaeger, expectedTree(contract, rpc), trace, 4000);
  faults = {
    register: await differing("auth.v1.AuthService/Register", register),
    create: await differing("task.v1.TaskService/CreateTask", create),
  };
});
afterAll(() => mesh?.stop());

describe("faults that are planted in what is told", () => {
  it("a producer that does not hand on the trace", () => {
    expect(faults.create).toContainEqual(
      expect.stringMatching(/^missing: .*send task\.events\.v1 > consumers process/),
    );
  });

  it("work without a span", () => {
    expect(faults.register).toContainEqual(expect.stringMatching(/^missing: .*auth taskmesh hash password$/));
  });

  it("an attribute that nobody registered, with a mail address", async () => {
    expect(faults.register).toContainEqual(expect.stringMatching(/^not its attribute, user\.email: auth/));
    expect(hits(await tracesOf(mesh), canaries)).toContain("spans of auth: mail address");
  });

  it("a log line with a title", async () => {
    const found = await until("the line", () =>
      hits(logsOf(mesh), canaries).find((hit) => hit.startsWith("task-1.log")),
    );
    expect(found).toBe("task-1.log: title");
  });
});
