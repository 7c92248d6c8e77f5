import { connect as connectHttp2 } from "node:http2";
import { connect as connectTcp } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { Kafka, logLevel } from "kafkajs";
import { afterEach, expect, test } from "vitest";
import { WebSocket } from "ws";
import { AuthService } from "#gen/auth/v1/auth_service_pb.js";
import { Health, HealthCheckResponse_ServingStatus as Serving } from "#gen/grpc/health/v1/health_pb.js";
import { NotificationService } from "#gen/notification/v1/notification_service_pb.js";
import { TaskService } from "#gen/task/v1/task_service_pb.js";
import { testIdentities, testIssuer } from "#kit/auth/testing.ts";
import { Code } from "#kit/errors.ts";
import { createClient, MeshChannel } from "#kit/grpc/client.ts";
import { startGrpcServer } from "#kit/grpc/server.ts";
import { TestService } from "#kit/grpc/testing.ts";
import { newId } from "#kit/id.ts";
import { Lifecycle } from "#kit/lifecycle.ts";
import { pickPorts } from "../../../cli/runner/ports.ts";
import { until } from "../../_util/until.ts";
import { effectsOf, eventRecord, openStage } from "../events/stage.ts";
import { type Program, run, writeIdentities } from "./processes.ts";

const after: (() => Promise<unknown> | unknown)[] = [];
afterEach(async () => {
  for (const close of after.splice(0).reverse()) await close();
});

/** A second for load balancers to hear of it, two for calls under way. */
const stopping = { SHUTDOWN_NOTICE: "1", SHUTDOWN_DRAIN: "2" };

const isReady = (port: number, path = "/ready") =>
  fetch(`http://127.0.0.1:${port}${path}`).then(
    ({ status }) => status === 200,
    () => false,
  );

/** Calls one after the other, `count` side by side, for as long as a load balancer would send them. */
function keepCalling(call: () => Promise<unknown>, mayCall: () => boolean, count = 10) {
  const faults: unknown[] = [];
  let calls = 0;
  const caller = async () => {
    while (mayCall()) {
      calls += 1;
      await call().catch((error) => faults.push(error));
    }
  };
  return { done: Promise.all(Array.from({ length: count }, caller)), faults, calls: () => calls };
}

function started(program: Program): Program {
  after.push(program.kill);
  return program;
}

test("a service that is stopped says so, serves until it is heard, finishes what is under way and ends with 0", async () => {
  const [port = 0, adminPort = 0] = await pickPorts(2);
  const program = started(run("tests/integration/health/grpc-process.ts", stopping, [`${port}`, `${adminPort}`]));
  await until("the service", () => isReady(adminPort));
  const channel = new MeshChannel(`127.0.0.1:${port}`);
  after.push(() => channel.close());
  const client = createClient(TestService, channel, { identity: testIdentities(["gateway"]).gateway });
  const health = createClient(Health, channel, { identity: testIdentities(["gateway"]).gateway });

  // Nobody reads what this stream sends, and it stays connected.
  const stuck = connectHttp2(`http://127.0.0.1:${port}`, { settings: { initialWindowSize: 1_000 } });
  stuck.on("error", () => {});
  after.push(() => stuck.destroy());
  const path = "/mesh.test.v1.TestService/Watch";
  const hanging = stuck.request({
    ":method": "POST",
    ":path": path,
    "content-type": "application/grpc",
    te: "trailers",
  });
  hanging.on("error", () => {});
  hanging.end(Buffer.alloc(5));
  hanging.pause();
  await new Promise((resolve) => hanging.once("response", resolve));

  let serving = true;
  const watch = (async () => {
    for await (const { status } of health.watch({})) serving = status === Serving.SERVING;
  })().catch((error) => error);
  const stream = (async () => {
    for await (const _ of client.watch({}));
  })().catch((error) => error);
  const calls = keepCalling(
    () => client.open({ value: "20" }),
    () => serving,
  );
  await until("calls", () => calls.calls() > 50);
  const slow = client.open({ value: "1500" });

  program.child.kill("SIGTERM");
  await until("NOT_SERVING", () => !serving, { everyMs: 5 });
  // A load balancer may not have heard of it yet.
  expect(await isReady(adminPort)).toBe(false);
  expect((await health.check({ service: "mesh.test.v1.TestService" })).status).toBe(Serving.NOT_SERVING);
  const headers: Record<string, string>[] = [];
  const late = await client.open(
    { value: "1" },
    { onHeader: (given) => headers.push(given as Record<string, string>) },
  );
  expect(late.value).toBe("1");
  expect(headers).toMatchObject([{ "x-envoy-immediate-health-check-fail": "true" }]);

  expect((await slow).value).toBe("1500");
  await calls.done;
  expect(calls.faults).toEqual([]);
  const away = { code: Code.UNAVAILABLE, retryAfterMs: 0 };
  expect(await stream).toMatchObject(away);
  expect(await watch).toMatchObject(away);
  expect(await program.ended).toBe(0);
});

test("a gateway that is stopped does the same for HTTP, and sends streams away with a code to come back by", async () => {
  const identities = await writeIdentities(["gateway", "task"]);
  const issuer = testIssuer();
  const lifecycle = new Lifecycle();
  after.push(identities.remove, () => lifecycle.stop());
  const taskId = newId();
  const mesh = await startGrpcServer({
    host: "127.0.0.1",
    port: 0,
    services: [
      {
        desc: AuthService,
        impl: {
          getJwks: async () => ({ keys: [...issuer.jwks.keys] }),
          listRevokedSessions: async () => ({ sessionIds: [] }),
        },
      },
      {
        desc: TaskService,
        impl: {
          getTask: async (request: { taskId: string }) => {
            await delay(request.taskId === taskId ? 700 : 20);
            return { task: { taskId: request.taskId, title: "a" } };
          },
        },
      },
      {
        desc: NotificationService,
        impl: {
          watchNotifications: async function* (_request: unknown, { signal }: { signal: AbortSignal }) {
            yield { cursor: "one" };
            await new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
          },
        },
      },
    ],
    identity: await identities.load("task"),
    tokens: issuer.verifier(),
    lifecycle,
  });
  const [port = 0, grpcPort = 0] = await pickPorts(2);
  const program = started(
    run("gateway/main.ts", {
      ...stopping,
      ...identities.env("gateway"),
      MESH_ADDRESS: `127.0.0.1:${mesh.port}`,
      GATEWAY_HTTP_PORT: `${port}`,
      GATEWAY_GRPC_PORT: `${grpcPort}`,
      RATE_LIMIT_PRESET: "off",
    }),
  );
  await until("the gateway", () => isReady(port, "/health/ready"));
  const headers = { authorization: `Bearer ${issuer.token()}` };
  const url = `127.0.0.1:${port}`;
  const get = async (id: string) => {
    const response = await fetch(`http://${url}/v1/tasks/${id}`, { headers });
    await response.text();
    if (response.status !== 200) throw new Error(`status ${response.status}`);
    return response;
  };

  // One that never says what it wants, and one that does not read the stream that it asked for.
  for (const text of [
    "GET /v1/tasks HTTP/1.1\r\nhost: a\r\n",
    `GET /v1/notifications:watch HTTP/1.1\r\nhost: a\r\naccept: text/event-stream\r\nauthorization: ${headers.authorization}\r\n\r\n`,
  ]) {
    const socket = connectTcp(port, "127.0.0.1");
    socket.on("error", () => {});
    socket.pause();
    socket.write(text);
    after.push(() => socket.destroy());
  }
  const events = fetch(`http://${url}/v1/notifications:watch`, {
    headers: { ...headers, accept: "text/event-stream" },
  });
  const heard = (await events).text();
  const socket = new WebSocket(`ws://${url}/v1/notifications:watch`, { headers });
  const closed = new Promise<number>((resolve) => socket.once("close", resolve));
  await new Promise((resolve) => socket.once("message", resolve));
  let ready = true;
  const calls = keepCalling(
    () => get(newId()),
    () => ready,
  );
  await until("calls", () => calls.calls() > 50);
  const slow = get(taskId);
  await delay(100);

  program.child.kill("SIGTERM");
  const asked = async () => {
    ready = await isReady(port, "/health/ready");
    return !ready;
  };
  await until("/health/ready to say so", asked, { everyMs: 5 });
  expect(await isReady(port, "/health/live")).toBe(true);
  const late = await get(newId());
  expect(late.headers.get("x-envoy-immediate-health-check-fail")).toBe("true");

  expect((await slow).status).toBe(200);
  await calls.done;
  expect(calls.faults).toEqual([]);
  expect(await heard).toContain('"reason":"UNAVAILABLE"');
  expect(await closed).toBe(4503);
  expect(await program.ended).toBe(0);
});

test("a consumer that is stopped finishes its event, leaves the group and ends with 0", async () => {
  const stage = await openStage("stopped");
  after.push(stage.close);
  const program = started(
    run("tests/integration/health/consumer-process.ts", stopping, [
      stage.url,
      stage.brokers[0] as string,
      stage.group,
      stage.topic,
    ]),
  );
  await stage.producer.send(["a", "b", "c", "d"].map((key) => eventRecord(stage.topic, key)));
  await until("an event to be under way", () => program.output().includes("begun"));
  program.child.kill("SIGTERM");
  expect(await program.ended).toBe(0);

  const begun = [...program.output().matchAll(/begun (\S+)/g)].map(([, id]) => id);
  expect((await effectsOf(stage.database)).map(({ event_id }) => event_id).sort()).toEqual(begun.sort());
  const admin = new Kafka({ brokers: stage.brokers, logLevel: logLevel.NOTHING }).admin();
  await admin.connect();
  after.push(() => admin.disconnect());
  // Nobody has to wait until the broker misses it.
  const [group] = (await admin.describeGroups([stage.group])).groups;
  expect(group).toMatchObject({ state: "Empty", members: [] });
});
