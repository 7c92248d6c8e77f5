import { readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { wholeTrace } from "../../cli/demo/whole-trace.ts";
import { kafkaOf, ownership } from "../_util/kafka.ts";
import { TestMesh } from "../_util/mesh.ts";
import { call, Person } from "../_util/person.ts";
import { until } from "../_util/until.ts";

let mesh: TestMesh;
let ann: Person;
let bob: Person;

beforeAll(async () => {
  mesh = await TestMesh.start();
  [ann, bob] = await Promise.all([Person.register(mesh.edge, "Ann"), Person.register(mesh.edge, "Bob")]);
});
afterAll(() => mesh?.stop());

/** Gives Bob a task and answers with its id and the entry that reaches his inbox. */
async function giveTask(title: string) {
  const { taskId } = await ann.ask("POST /v1/tasks", { title, assigneeIds: [bob.userId] });
  const entry = await until(`"${title}" in the inbox`, async () => {
    const { notifications } = await bob.ask("GET /v1/notifications?pageSize=100");
    return notifications.find((one: { taskId: string }) => one.taskId === taskId);
  });
  return { taskId, entry };
}

async function mailAbout(taskId: string) {
  return until(`a mail about ${taskId}`, async () =>
    (await mesh.mailsTo(bob.email)).find(({ text }) => text.includes(taskId)),
  );
}

describe("one change", () => {
  it("travels from the edge to the mailbox in one whole trace", async () => {
    const { taskId, entry } = await giveTask("Water the tomatoes");
    const mail = await mailAbout(taskId);
    expect(mail.subject).toContain("Water the tomatoes");
    expect(mail.headers["x-trace-id"]).toBe(entry.traceId);
    const tree = await wholeTrace(mesh.jaeger, entry.traceId);
    expect(tree.roots.map(({ service }) => service)).toEqual(["envoy-edge"]);
  });

  it.each(["gateway-1", "user-1", "task-1", "notification-1", "consumers-1"])(
    "keeps its trace whole when %s is restarted in the middle",
    async (instance) => {
      const { taskId } = await ann.ask("POST /v1/tasks", { title: `Past ${instance}`, assigneeIds: [bob.userId] });
      await mesh.restart(instance);
      const mail = await mailAbout(taskId);
      await wholeTrace(mesh.jaeger, mail.headers["x-trace-id"]);
    },
  );
});

describe("a Todoist export", () => {
  const content = readFileSync("cli/demo/todoist-export.csv").toString("base64");

  it("comes over with labels, subtasks, comments, priorities and dates", async () => {
    const { importedCount, taskIds, skipped } = await ann.ask("POST /v1/tasks:import", {
      format: "FORMAT_TODOIST_CSV",
      content,
    });
    expect([importedCount, taskIds.length, skipped ?? []]).toEqual([3, 3, []]);
    const [first, sub] = await Promise.all(taskIds.map((id: string) => ann.ask(`GET /v1/tasks/${id}`)));
    expect(first.title).toBe("test project task with deadline and all the other stuff");
    expect(first.due).toMatchObject({ date: expect.stringMatching(/^\d{4}-\d{2}-\d{2}$/) });
    expect(sub.parentTaskId).toBe(first.taskId);
    const { labels } = await ann.ask("GET /v1/labels");
    expect(labels.map(({ name }: { name: string }) => name)).toContain("errands");
    const { comments } = await ann.ask(`GET /v1/tasks/${first.taskId}/comments`);
    expect(comments).toHaveLength(3);
  });

  it("that is malformed names the line and leaves nothing", async () => {
    const before = (await bob.ask("GET /v1/tasks")).tasks?.length ?? 0;
    const broken = Buffer.from('TYPE,CONTENT,PRIORITY,INDENT\ntask,fine,1,1\ntask,"never closed,1,1\n').toString(
      "base64",
    );
    const answer = await bob.call("POST /v1/tasks:import", { format: "FORMAT_TODOIST_CSV", content: broken });
    expect(answer.status).toBe(400);
    expect(answer.body.fieldViolations).toMatchObject([
      { field: "content", description: expect.stringMatching(/line 3/) },
    ]);
    expect((await bob.ask("GET /v1/tasks")).tasks?.length ?? 0).toBe(before);
  });
});

describe("bad input", () => {
  const refused = (target: string, body: unknown, field: string) => async () => {
    const answer = await ann.call(target, body);
    expect([answer.status, answer.headers.get("content-type")]).toEqual([
      400,
      expect.stringContaining("application/problem+json"),
    ]);
    expect(answer.body).toMatchObject({ code: "INVALID_ARGUMENT", traceId: expect.stringMatching(/^[0-9a-f]{32}$/) });
    expect(answer.body.fieldViolations.map((violation: { field: string }) => violation.field)).toContain(field);
  };

  it("a wrong date", refused("POST /v1/tasks", { title: "x", due: { date: "2026-02-30" } }, "due.date"));
  it("an unknown field", refused("POST /v1/tasks", { title: "x", colour: "red" }, "colour"));
  it("a title of 100,000 characters", refused("POST /v1/tasks", { title: "x".repeat(100_000) }, "title"));
  it("no title", refused("POST /v1/tasks", {}, "title"));

  it("a forged and a missing token", async () => {
    const [header, payload] = ann.token.split(".");
    for (const token of [`${header}.${payload}.${Buffer.alloc(64).toString("base64url")}`, "nonsense", undefined]) {
      const answer = await call(mesh.edge, "GET /v1/tasks", undefined, { token });
      expect([answer.status, answer.body.reason]).toEqual([401, "TOKEN_INVALID"]);
    }
  });

  it("somebody else's task, which answers as one that is not there", async () => {
    const { taskId } = await ann.ask("POST /v1/tasks", { title: "Secret plan" });
    const foreign = await bob.call(`GET /v1/tasks/${taskId}`);
    const absent = await bob.call("GET /v1/tasks/01900000-0000-7000-8000-000000000000");
    expect([foreign.status, absent.status]).toEqual([404, 404]);
    const same = ({ requestId: _id, traceId: _trace, instance: _instance, ...rest }: Record<string, unknown>) => rest;
    expect(same(foreign.body)).toEqual(same(absent.body));
  });
});

describe("scaling while tasks are written", () => {
  it("spreads the traffic over three task services within 10 seconds [pain.13]", async () => {
    await mesh.scale("task", 3);
    const served = async () => {
      const { instances } = await mesh.status();
      const tasks = instances.filter(({ name }) => name.startsWith("task-"));
      return Promise.all(tasks.map(async ({ ports }) => handled(ports.admin as number)));
    };
    const before = await served();
    await until(
      "traffic at all three",
      async () => {
        await Promise.all(Array.from({ length: 10 }, () => ann.ask("GET /v1/tasks?pageSize=1")));
        const now = await served();
        return now.length === 3 && now.every((count, index) => count > (before[index] ?? 0));
      },
      { timeoutMs: 10_000 },
    );
  });

  it("spreads every group over three consumers and loses nothing", async () => {
    const written: string[] = [];
    let writing = true;
    const writer = (async () => {
      while (writing) {
        const { taskId } = await ann.ask("POST /v1/tasks", {
          title: `Number ${written.length}`,
          assigneeIds: [bob.userId],
        });
        written.push(taskId);
      }
    })();
    await mesh.scale("consumers", 3);
    await until(
      "partitions at all three",
      async () => {
        const kafka = await kafkaOf(mesh);
        const notification = await ownership(kafka, "notification", "task.events.v1");
        const email = await ownership(kafka, "email", "notification.deliveries.v1");
        return [notification, email].every((owned) => owned.length === 3 && owned.every((count) => count === 4));
      },
      { timeoutMs: 10_000 },
    );
    writing = false;
    await writer;
    await until(`${written.length} mails`, async () => {
      const texts = (await mesh.mailsTo(bob.email)).map(({ text }) => text as string);
      return written.every((taskId) => texts.some((text) => text.includes(taskId)));
    });
  });
});

async function metric(port: number, name: string): Promise<{ labels: string; value: number }[]> {
  const text = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
  return [...text.matchAll(new RegExp(`^${name}\\{([^}]*)\\} (\\S+)`, "gm"))].map(([, labels = "", value]) => ({
    labels,
    value: Number(value),
  }));
}

async function handled(port: number): Promise<number> {
  return (await metric(port, "rpc_server_call_duration_count")).reduce((sum, { value }) => sum + value, 0);
}
