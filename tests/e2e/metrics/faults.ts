import { randomBytes } from "node:crypto";
import { kafkaOf } from "../../_util/kafka.ts";
import type { TestMesh } from "../../_util/mesh.ts";
import { call, type Person } from "../../_util/person.ts";
import { until } from "../../_util/until.ts";
import { allPages } from "./pages.ts";

/** What only happens when something is wrong: a refusal by a limit, a call that is shed, a dead letter and its redrive, a retry, lost spans. */
export async function goWrong(mesh: TestMesh, { ann, bob }: { ann: Person; bob: Person }): Promise<void> {
  const refuse = () => call(mesh.edge, "POST /v1/auth/refresh", { refreshToken: randomBytes(8).toString("hex") });
  await Promise.all(Array.from({ length: 150 }, refuse));
  await happens(mesh, "taskmesh_limits_refusals_total", "taskmesh_limits_name");
  await until("shed calls", async () => {
    await Promise.all(Array.from({ length: 170 }, () => importNothing(mesh, ann)));
    return happens(mesh, "taskmesh_overload_shed_calls_total", "taskmesh_priority", 1000).then(
      () => true,
      () => false,
    );
  });
  await sendGarbage(mesh);
  await happens(mesh, "taskmesh_event_dead_letters_total", "error_type");
  await mesh.cli("dlq", "redrive", "email", "--all");
  await happens(mesh, "taskmesh_event_redriven_total", "messaging_consumer_group_name");
  const provoke = { mail: "taskmesh_event_retries_total", jaeger: "otel_sdk_processor_span_processed_total" };
  await until("a retry", async () => {
    await kill(mesh, "mail");
    await ann.ask("POST /v1/tasks", { title: "Late mail", assigneeIds: [bob.userId] });
    return happens(mesh, provoke.mail, "taskmesh_event_attempt", 2000).then(
      () => true,
      () => false,
    );
  });
  await until("lost spans", async () => {
    await kill(mesh, "jaeger");
    await ann.ask("GET /v1/tasks");
    return happens(mesh, provoke.jaeger, "error_type", 2000).then(
      () => true,
      () => false,
    );
  });
}

function importNothing(mesh: TestMesh, { token }: Person): Promise<unknown> {
  const content = Buffer.from("TYPE,CONTENT,PRIORITY\ntask,Buy milk,1\n").toString("base64");
  const body = { format: "FORMAT_TODOIST_CSV", content, timeZone: "UTC", dryRun: true };
  return call(mesh.edge, "POST /v1/tasks:import", body, { token });
}

/** Something that is no event at all. */
async function sendGarbage(mesh: TestMesh): Promise<void> {
  const producer = (await kafkaOf(mesh)).producer();
  await producer.connect();
  await producer.send({ topic: "notification.deliveries.v1", messages: [{ key: "nobody", value: "garbage" }] });
  await producer.disconnect();
}

async function kill(mesh: TestMesh, name: string): Promise<void> {
  const pid = await until(`${name} to run`, async () => {
    const { instances } = await mesh.status();
    return instances.find((instance) => instance.name === name && instance.status === "ready")?.pid;
  });
  process.kill(pid, "SIGKILL");
}

function happens(mesh: TestMesh, metric: string, label: string, timeoutMs = 20_000): Promise<boolean> {
  return until(
    `${metric} with ${label}`,
    async () =>
      (await allPages(mesh)).some(({ samples }) =>
        samples.some(({ name, labels, value }) => name === metric && labels[label] !== undefined && value > 0),
      ),
    { timeoutMs, everyMs: 200 },
  );
}
