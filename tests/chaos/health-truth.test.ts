import { createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Health, HealthCheckResponse_ServingStatus as Serving } from "#gen/grpc/health/v1/health_pb.js";
import { processTree, signalAll } from "../../cli/runner/process-tree.ts";
import { TestMesh } from "../_util/mesh.ts";
import { Person } from "../_util/person.ts";
import { until } from "../_util/until.ts";
import { cut, isWell, stateOf, type Tellers, watchHealth } from "./health-truth.ts";

const services = ["auth", "user", "task", "notification"];
const processes = [...services.map((name) => `${name}-1`), "gateway-1", "consumers-1"];

let mesh: TestMesh;
let ada: Person;
let admin: Record<string, string>;
let restartsAtFirst: Record<string, number>;

const restarts = async (): Promise<Record<string, number>> => {
  const { instances } = await mesh.status();
  return Object.fromEntries(
    instances.filter(({ name }) => processes.includes(name)).map((one) => [one.name, one.restarts]),
  );
};
const ready = (name: string) => () => isWell(`${admin[name]}/ready`);
const page = (path: string) => () => isWell(`${mesh.edge}/health${path}`);
const figures: string[] = [];

// biome-ignore lint/suspicious/noExplicitAny: every page has a shape of its own
async function json(url: string): Promise<any> {
  return (await fetch(url)).json();
}

async function told(part: string, signal: "SIGSTOP" | "SIGKILL", tellers: Tellers, meanwhile?: () => Promise<void>) {
  const { away, back } = await cut(mesh, part, signal, tellers, meanwhile);
  figures.push(`${part} ${signal}: told after ${Math.round(away)} ms, of its return after ${Math.round(back)} ms`);
}

/** Nothing that is not about the part says a word. */
async function expectWell(...tellers: (() => Promise<boolean>)[]) {
  expect(await Promise.all(tellers.map((ask) => ask()))).toEqual(tellers.map(() => true));
}

beforeAll(async () => {
  mesh = await TestMesh.start();
  ada = await Person.register(mesh.edge, "Ada");
  const { instances } = await mesh.status();
  admin = Object.fromEntries(instances.map(({ name, ports }) => [name, `http://127.0.0.1:${ports.admin}`]));
  restartsAtFirst = await restarts();
});
afterAll(async () => {
  process.stdout.write(`${figures.join("\n")}\n`);
  await mesh?.stop();
});

describe("health tells the truth of each part that is cut off", () => {
  it.each(["SIGSTOP", "SIGKILL"] as const)(
    "PostgreSQL after %s: no service serves, and calls are answered at once",
    async (signal) => {
      const { ports } = await stateOf(mesh, "task-1");
      const watch = watchHealth(`http://127.0.0.1:${ports.grpc}`, "task.v1.TaskService");
      const edge = watchHealth(mesh.edge, "task.v1.TaskService");
      const tellers = {
        ...Object.fromEntries([...services, "consumers"].map((name) => [name, ready(`${name}-1`)])),
        "gRPC health of the service": watch.serving,
        "gRPC health of the edge": edge.serving,
        "/health": page(""),
        "/health/services": page("/services"),
        "/health/database": page("/database"),
      };
      await told("postgres", signal, tellers, async () => {
        await expectWell(page("/live"), page("/ready"), page("/redis"), ready("gateway-1"));
        if (signal === "SIGKILL") return;
        const { status, headers, body } = await ada.call("GET /v1/tasks");
        expect(status).toBe(503);
        expect(headers.get("content-type")).toContain("application/problem+json");
        expect(headers.get("retry-after")).toMatch(/^[1-9]/);
        expect(body).toMatchObject({ status: 503, code: "UNAVAILABLE", reason: "UNAVAILABLE" });
      });
      await watch.close();
      await edge.close();
      await until("calls to go on", async () => (await ada.call("GET /v1/tasks")).status === 200);
    },
  );

  it.each(["SIGSTOP", "SIGKILL"] as const)("Redis after %s: told, and nobody stops serving", async (signal) => {
    await told("redis", signal, { "/health/redis": page("/redis") }, async () => {
      await expectWell(...processes.map(ready), page("/ready"), page("/services"), page("/database"), page(""));
      expect((await ada.call("GET /v1/tasks")).status).toBe(200);
    });
  });

  it.each(["SIGSTOP", "SIGKILL"] as const)(
    "Kafka after %s: consumers are not ready, services serve on",
    async (signal) => {
      const kafka = async () => (await json(`${mesh.edge}/health`)).kafka === "SERVING";
      await told("kafka", signal, { "/health": kafka, consumers: ready("consumers-1") }, async () => {
        await expectWell(...services.map((name) => ready(`${name}-1`)), page(""), page("/ready"), page("/services"));
        if (signal === "SIGSTOP") expect((await ada.call("POST /v1/tasks", { title: "meanwhile" })).status).toBe(200);
      });
    },
  );

  it.each(["SIGSTOP", "SIGKILL"] as const)("Jaeger after %s: nobody needs it", async (signal) => {
    await until("Jaeger", async () =>
      (await mesh.status()).instances.some(({ name, status }) => name === "jaeger" && status === "ready"),
    );
    await told("jaeger", signal, {}, async () => {
      await expectWell(...processes.map(ready), page(""), page("/ready"));
      expect((await ada.call("GET /v1/tasks")).status).toBe(200);
    });
  });

  it.each(services)("the %s service after SIGSTOP: told by the edge", async (name) => {
    const edge = watchHealth(mesh.edge, `${name}.v1.${name[0]?.toUpperCase()}${name.slice(1)}Service`);
    await told(
      `${name}-1`,
      "SIGSTOP",
      { "/health/services": page("/services"), "gRPC health": edge.serving },
      async () => {
        await expectWell(page("/live"), page("/ready"));
      },
    );
    await edge.close();
  });

  it("and nobody was started again because another was away", async () => {
    expect(await restarts()).toEqual(restartsAtFirst);
  });
});

describe("Envoy", () => {
  /** Calls that an instance behind a cluster has got so far, and whether it is in. */
  async function hostOf(cluster: string, name: string) {
    const { ports } = await stateOf(mesh, name);
    const port = cluster === "gateway_http" ? ports.http : ports.grpc;
    const answer = await json(`${mesh.admin}/clusters?format=json`);
    // biome-ignore lint/suspicious/noExplicitAny: Envoy's page
    const { host_statuses } = answer.cluster_statuses.find((one: any) => one.name === cluster);
    // biome-ignore lint/suspicious/noExplicitAny: Envoy's page
    const host = host_statuses?.find((one: any) => one.address.socket_address.port_value === port);
    // biome-ignore lint/suspicious/noExplicitAny: Envoy's page
    const calls = host?.stats.find((one: any) => one.name === "rq_total")?.value ?? 0;
    return { calls: Number(calls), isIn: host?.health_status.failed_active_health_check !== true };
  }

  it("gives an added replica its share although all connections are old [pain.13]", async () => {
    // One connection of HTTP/2 to the edge, made before; the gateway has its own to the mesh.
    const health = createClient(Health, createGrpcTransport({ baseUrl: mesh.edge }));
    expect((await health.check({})).status).toBe(Serving.SERVING);
    await Promise.all([mesh.scale("task", 2), mesh.scale("gateway", 2)]);
    await until("both to get calls", async () => {
      await Promise.all([health.check({}), health.check({}), ada.call("GET /v1/tasks"), ada.call("GET /v1/tasks")]);
      const [task, http, grpc] = await Promise.all([
        hostOf("task", "task-2"),
        hostOf("gateway_http", "gateway-2"),
        hostOf("gateway_grpc", "gateway-2"),
      ]);
      return task.calls > 0 && http.calls > 0 && grpc.calls > 0;
    });
  });

  it("leaves out an instance whose event loop is blocked, and takes it back by itself", async () => {
    const { pid } = await stateOf(mesh, "task-2");
    const pids = await processTree(pid as number);
    signalAll(pids, "SIGSTOP");
    try {
      await until("Envoy to see it", async () => !(await hostOf("task", "task-2")).isIn, { everyMs: 20 });
      const before = await hostOf("task", "task-2");
      for (let n = 0; n < 20; n += 1) expect((await ada.call("GET /v1/tasks")).status).toBe(200);
      expect((await hostOf("task", "task-2")).calls).toBe(before.calls);
    } finally {
      signalAll(pids, "SIGCONT");
    }
    const left = await hostOf("task", "task-2");
    await until("it to get calls again", async () => {
      await ada.call("GET /v1/tasks");
      return (await hostOf("task", "task-2")).calls > left.calls;
    });
    expect((await stateOf(mesh, "task-2")).restarts).toBe(0);
  });

  it("sends nothing to one that stops, from its NOT_SERVING on", async () => {
    const { pid, ports } = await stateOf(mesh, "task-2");
    const watch = watchHealth(`http://127.0.0.1:${ports.grpc}`);
    await until("the watch", watch.serving);
    let calling = true;
    const faults: unknown[] = [];
    const callers = Array.from({ length: 8 }, async () => {
      while (calling) {
        const { status, body } = await ada.call("GET /v1/tasks");
        if (status !== 200) faults.push(body);
      }
    });
    process.kill(pid as number, "SIGTERM");
    await until("NOT_SERVING", async () => !(await watch.serving()), { everyMs: 5 });
    await until("another to take its place", async () => {
      const now = await stateOf(mesh, "task-2");
      return now.pid !== pid && now.status === "ready";
    });
    calling = false;
    await Promise.all(callers);
    await watch.close();
    expect(faults).toEqual([]);
  });
});
