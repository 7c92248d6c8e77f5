import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { GroupLag } from "../lag/read-lag.ts";
import type { Picture } from "./picture.ts";
import type { Source, SourceInstance } from "./source.ts";
import { Watch } from "./watch.ts";

/** The pages of a small mesh; a test changes them between two readings. */
const pages = new Map<string, string>();
let asked = 0;
let server: Server;
let base: string;
let lags: () => Promise<GroupLag[]>;
let closed = 0;

beforeAll(async () => {
  server = createServer((request, response) => {
    asked++;
    const page = pages.get((request.url ?? "").split("?")[0] ?? "");
    response.writeHead(page === undefined ? 404 : 200).end(page);
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});

afterAll(() => {
  server.closeAllConnections();
  server.close();
});

beforeEach(() => {
  pages.clear();
  lags = async () => [];
  [asked, closed] = [0, 0];
});

const instance = (name: string, unit: string): SourceInstance => ({
  name,
  unit,
  status: "ready",
  metricsUrl: `${base}/${name}`,
});

function watchOf(instances: SourceInstance[], envoyUrl?: string): Watch {
  const source: Source = { envoyUrl, brokers: [], instances: async () => instances };
  const openLag = () => ({ read: () => lags(), close: async () => void closed++ });
  return new Watch({ source, openLag, everyMs: 20, spanMs: 60_000 });
}

/** Looks until a picture is as wished; `before` runs once the first one is there. */
async function pictureWhere(watch: Watch, wish: (picture: Picture) => boolean, before = () => {}): Promise<Picture> {
  const { promise, resolve } = Promise.withResolvers<Picture>();
  let isFirst = true;
  const end = watch.look((picture) => {
    if (isFirst) before();
    isFirst = false;
    if (wish(picture)) resolve(picture);
  });
  return promise.finally(end);
}

const calls = (status: string, count: number, method = "task.v1.TaskService/GetTask") =>
  ["0.1", "+Inf"]
    .map(
      (le) =>
        `rpc_server_call_duration_bucket{rpc_method="${method}",rpc_response_status_code="${status}",le="${le}"} ${count}`,
    )
    .concat(`rpc_server_call_duration_count{rpc_method="${method}",rpc_response_status_code="${status}"} ${count}`)
    .join("\n");

describe("a picture", () => {
  test("tells faults of ours from refusals, and sums the instances of a service", async () => {
    const show = (count: number) => {
      pages.set("/task-1", [calls("OK", count), calls("NOT_FOUND", count), calls("UNAVAILABLE", count)].join("\n"));
      pages.set("/task-2", calls("OK", count));
    };
    show(0);
    const watch = watchOf([instance("task-1", "task"), instance("task-2", "task")]);
    const picture = await pictureWhere(
      watch,
      ({ edges }) => edges.some(({ errors }) => errors > 0),
      () => show(100),
    );
    const edge = picture.edges.find(({ from, to }) => from === "mesh" && to === "task");
    const [one, two] = picture.instances.map(({ rate, errors }) => ({ rate: rate ?? 0, errors: errors ?? 0 }));
    // A third of what the first instance answers was its fault, a third was refused for good reason.
    expect((one?.rate ?? 0) / (one?.errors ?? 1)).toBeCloseTo(3);
    expect(edge?.errors).toBeCloseTo(one?.errors ?? 0);
    expect(edge?.refused).toBeCloseTo(one?.errors ?? 0);
    expect(edge?.rate).toBeCloseTo((one?.rate ?? 0) + (two?.rate ?? 0));
    expect(edge?.p50).toBeCloseTo(0.05);
    expect(picture.methods).toMatchObject([{ method: "task.v1.TaskService/GetTask" }]);
  });

  test("asks Envoy for what came from outside, in seconds, and the gateway where there is no Envoy", async () => {
    const envoyPage = (count: number) =>
      pages.set(
        "/stats/prometheus",
        [
          `envoy_http_downstream_rq_total{envoy_http_conn_manager_prefix="edge"} ${count}`,
          `envoy_http_downstream_rq_total{envoy_http_conn_manager_prefix="mesh"} ${count * 9}`,
          `envoy_http_downstream_rq_xx{envoy_response_code_class="5",envoy_http_conn_manager_prefix="edge"} ${count / 2}`,
          `envoy_http_downstream_rq_time_bucket{envoy_http_conn_manager_prefix="edge",le="100"} ${count}`,
          `envoy_http_downstream_rq_time_bucket{envoy_http_conn_manager_prefix="edge",le="+Inf"} ${count}`,
          'envoy_cluster_membership_total{envoy_cluster_name="task"} 2',
          'envoy_cluster_membership_healthy{envoy_cluster_name="task"} 1',
        ].join("\n"),
      );
    envoyPage(0);
    const seen = await pictureWhere(
      watchOf([], base),
      ({ edges }) => (edges[0]?.rate ?? 0) > 0,
      () => envoyPage(10),
    );
    expect((seen.edges[0]?.rate ?? 0) / (seen.edges[0]?.errors ?? 1)).toBeCloseTo(2, 1);
    expect(seen.edges[0]?.p50).toBeCloseTo(0.05);
    expect(seen.faults).toContain("envoy: 1 of 2 instances of task get traffic");

    const gateway = (count: number) =>
      pages.set("/gateway-1", `http_server_request_duration_count{http_response_status_code="503"} ${count}`);
    gateway(0);
    const without = watchOf([instance("gateway-1", "gateway")]);
    const bare = await pictureWhere(
      without,
      ({ edges }) => (edges[0]?.errors ?? 0) > 0,
      () => gateway(5),
    );
    expect(bare.edges[0]).toMatchObject({ from: "clients", to: "edge" });
  });

  test("says who owns which partition, and that nobody does in a rebalance", async () => {
    const lag = (partition: number, owner: string | undefined, behind: number): GroupLag => ({
      group: "notification",
      topic: "task.events.v1",
      partition,
      end: 10,
      committed: 10 - behind,
      lag: behind,
      instance: owner,
    });
    lags = async () => [lag(1, undefined, 4), lag(0, "consumers-1", 3)];
    pages.set("/consumers-1", 'taskmesh_event_dead_letters_waiting{messaging_consumer_group_name="notification"} 2');
    const { groups, instances, places } = await watchOf([instance("consumers-1", "consumers")]).once();
    expect(groups).toMatchObject([
      {
        group: "notification",
        lag: 7,
        deadLetters: 2,
        members: ["consumers-1"],
        topics: [{ topic: "task.events.v1", lag: 7 }],
      },
    ]);
    expect(groups[0]?.topics[0]?.partitions).toEqual([
      { partition: 0, instance: "consumers-1", lag: 3, end: 10 },
      { partition: 1, lag: 4, end: 10 },
    ]);
    expect(instances[0]?.partitions).toBe(1);
    expect(places.map(({ id }) => id)).toContain("group:notification");
  });

  test("tells of whoever does not answer, and shows the rest", async () => {
    pages.set("/task-1", "taskmesh_outbox_leader 1\ntaskmesh_outbox_lag 2.5");
    lags = async () => Promise.reject(new Error("away"));
    const watch = watchOf([instance("task-1", "task"), instance("auth-1", "auth")]);
    const { faults, leaders } = await watch.once();
    expect(faults).toEqual(["auth-1: answered 404"]);
    expect(leaders).toEqual([{ work: "outbox of task", leader: "task-1", ageSeconds: 2.5, rate: 0 }]);
  });

  test("calls instances as they call themselves, unless two say the same", async () => {
    for (const [page, id] of [
      ["a", "task-1"],
      ["b", "twin"],
      ["c", "twin"],
    ] as const) {
      pages.set(`/${page}`, `target_info{service_instance_id="${id}"} 1`);
    }
    const { instances } = await watchOf([instance("a", "task"), instance("b", "task"), instance("c", "task")]).once();
    expect(instances.map(({ name }) => name)).toEqual(["b", "c", "task-1"]);
  });
});

test("nothing is asked while nobody looks", async () => {
  pages.set("/task-1", "up 1");
  const watch = watchOf([instance("task-1", "task")]);
  expect(asked).toBe(0);
  await watch.once();
  expect(watch.seers).toBe(0);
  expect(closed).toBe(1);
  const before = asked;
  // Some ticks of another watch later there was still no question of the first.
  const other = watchOf([]);
  let ticks = 0;
  await pictureWhere(other, () => ++ticks > 5);
  expect(asked).toBe(before);
});
