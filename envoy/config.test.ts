import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { getOption } from "@bufbuild/protobuf";
import { MethodOptions_IdempotencyLevel } from "@bufbuild/protobuf/wkt";
import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import { Health } from "#gen/grpc/health/v1/health_pb.js";
import { Access, policy, RateClass } from "#gen/mesh/v1/options_pb.js";
import { envoyConfig, writeEnvoyConfig } from "./config.ts";
import { writeEndpoints } from "./endpoints.ts";
import { type EnvoyOptions, serviceNames } from "./options.ts";
import { allRpcs, descriptors, type Rpc } from "./rpcs.ts";

const at = (port: number) => [{ host: "127.0.0.1", port }];
const options: EnvoyOptions = {
  directory: "/run/envoy",
  edgePort: 8080,
  meshPort: 8081,
  adminPort: 9901,
  gatewayHttp: at(1),
  gatewayGrpc: at(2),
  services: { auth: at(3), user: at(4), task: at(5), notification: at(6) },
};

interface Route {
  name: string;
  match: { path?: string; prefix?: string; safe_regex?: { regex: string }; headers?: Array<{ name: string }> };
  direct_response?: { status: number };
  route?: {
    cluster: string;
    timeout: string;
    idle_timeout?: string;
    max_stream_duration: { grpc_timeout_header_max: string };
    retry_policy: { retry_on: string; num_retries: number; per_try_timeout?: string };
    hedge_policy?: unknown;
    upgrade_configs?: unknown[];
  };
}

// biome-ignore lint/suspicious/noExplicitAny: the tests look at one field of a deep message at a time.
type Loose = any;

const listenersOf = (config: Loose): Loose[] => config.static_resources.listeners;
const managerOf = (listener: Loose): Loose => listener.filter_chains[0].filters.at(-1).typed_config;
const routesOf = (listener: string, rpcs?: Rpc[]): Route[] =>
  managerOf(listenersOf(envoyConfig(options, rpcs)).find(({ name }) => name === listener)).route_config.virtual_hosts[0]
    .routes;
const clustersOf = (given: Partial<EnvoyOptions> = {}): Loose[] =>
  (envoyConfig({ ...options, ...given }) as Loose).static_resources.clusters;
const seconds = (text = "") => Number(text.replace("s", ""));

const methods = serviceNames.flatMap((name) => descriptors[name].methods.map((method) => ({ name, method })));
const cases = methods.map(({ name, method }) => {
  const path = `/${method.parent.typeName}/${method.name}`;
  return { path, cluster: name, method, policy: getOption(method, policy) };
});

describe.each(cases)("$path", ({ path, cluster, method, policy: { access, timeout } }) => {
  const [mesh, ...others] = routesOf("mesh").filter(({ match }) => match.path === path && !match.headers);
  const spent = routesOf("mesh").filter(({ match }) => match.path === path && match.headers);
  const edge = routesOf("edge").filter(({ match }) => match.path === path);
  const limit = timeout ? Number(timeout.seconds) : 2;
  const isStream = method.methodKind !== "unary";
  // A stream is opened again by whoever knows how far it has come.
  const isIdempotent = !isStream && method.idempotency !== MethodOptions_IdempotencyLevel.IDEMPOTENCY_UNKNOWN;
  const isOpen = access === Access.PUBLIC || access === Access.USER;

  test("has one route in the mesh, to its service", () => {
    expect(others).toEqual([]);
    expect(mesh?.route?.cluster).toBe(cluster);
    expect(mesh?.match.headers).toBeUndefined();
  });

  test("has a little more time than its policy says, and never more than that by the caller's wish", () => {
    if (isStream) return expect(mesh?.route?.timeout).toBe("0s");
    expect(seconds(mesh?.route?.timeout)).toBeGreaterThan(limit);
    expect(seconds(mesh?.route?.timeout)).toBeLessThan(limit + 0.5);
    expect(mesh?.route?.max_stream_duration.grpc_timeout_header_max).toBe(mesh?.route?.timeout);
  });

  test("is tried again after it reached a service only if the descriptor says that it may", () => {
    const { retry_on = "", num_retries, per_try_timeout } = mesh?.route?.retry_policy ?? {};
    expect(retry_on.split(",")).toEqual(
      expect.arrayContaining(["connect-failure", "refused-stream", "reset-before-request"]),
    );
    expect(retry_on.split(",").includes("unavailable")).toBe(isIdempotent);
    expect(retry_on.split(",").includes("reset")).toBe(isIdempotent);
    expect(num_retries).toBe(1);
    const isRead = !isStream && method.idempotency === MethodOptions_IdempotencyLevel.NO_SIDE_EFFECTS;
    expect(mesh?.route?.hedge_policy).toEqual(isRead ? { hedge_on_per_try_timeout: true } : undefined);
    expect(spent.flatMap(({ route }) => route?.hedge_policy ?? [])).toEqual([]);
    if (isIdempotent) expect(seconds(per_try_timeout)).toBeCloseTo(limit * 0.4);
    else expect(per_try_timeout).toBeUndefined();
  });

  test("is not tried again after it reached a service when its caller has nothing left to spend", () => {
    expect(spent.map(({ match }) => match.headers)).toEqual(
      isIdempotent ? [[{ name: "x-mesh-retries-left", string_match: { exact: "0" } }]] : [],
    );
    for (const { route } of spent) {
      expect(route).toMatchObject({ cluster, timeout: mesh?.route?.timeout, retry_policy: { num_retries: 1 } });
      expect(route?.retry_policy.retry_on).toBe("connect-failure,refused-stream,reset-before-request");
    }
    const paths = routesOf("mesh").filter(({ match }) => match.path === path);
    if (isIdempotent) expect(paths.at(-1)).toEqual(mesh);
  });

  test("is open at the edge only if its access says so", () => {
    expect(edge.map(({ route }) => route?.cluster)).toEqual(isOpen ? ["gateway_grpc", "gateway_http"] : []);
    for (const { route } of edge) {
      const ending = route?.cluster === "gateway_grpc" ? route.idle_timeout : route?.timeout;
      if (!isStream) expect(seconds(ending)).toBeGreaterThanOrEqual(Math.max(10, limit + 2));
      expect(route?.retry_policy.retry_on).not.toContain("unavailable");
      expect(route?.retry_policy.retry_on.split(",").includes("reset")).toBe(isIdempotent);
    }
  });
});

describe("RPCs", () => {
  test("without a policy are closed", () => {
    const rpcs = allRpcs({ auth: Health });
    expect(rpcs.length).toBeGreaterThan(0);
    expect(rpcs.filter((rpc) => rpc.public)).toEqual([]);
    expect(routesOf("edge", rpcs).filter(({ match }) => match.path?.startsWith("/grpc.health"))).toEqual([]);
  });

  test("that stream have no timeout, on no listener and in no spelling", () => {
    const stream: Rpc = {
      path: "/task.v1.TaskService/WatchTasks",
      cluster: "task",
      public: true,
      idempotent: true,
      readOnly: false,
      streaming: true,
      timeout: 2000,
      rateClass: RateClass.GENERAL,
      priority: "read",
      rest: [
        { method: "GET", template: "/v1/tasks:watch" },
        { method: "GET", template: "/v1/tasks/all:watch" },
      ],
    };
    const routes = [...routesOf("edge", [stream]), ...routesOf("mesh", [stream])].filter(
      ({ name }) => name === "task.v1.TaskService/WatchTasks" || name.endsWith(":watch"),
    );
    expect(routes).toHaveLength(5);
    for (const { route } of routes) {
      expect(route).toMatchObject({ timeout: "0s", max_stream_duration: { max_stream_duration: "0s" } });
      expect(route?.retry_policy.retry_on).not.toMatch(/unavailable|reset,|reset$/);
    }
  });

  test("that take long have their time on their REST path too", () => {
    const slow = allRpcs().filter(({ timeout, rest }) => timeout > 8000 && rest.length > 0);
    expect(slow.length).toBeGreaterThan(0);
    for (const rpc of slow) {
      const route = routesOf("edge").find(({ name }) => name === rpc.rest[0]?.template);
      expect(seconds(route?.route?.timeout)).toBe(rpc.timeout / 1000 + 2);
    }
  });

  test("with parameters in a REST path match one segment each", () => {
    const rest = { method: "POST", template: "/v1/tasks/{task_id}:share" };
    const rpc: Rpc = { ...(allRpcs()[0] as Rpc), public: true, streaming: true, rest: [rest] };
    const match = routesOf("edge", [rpc]).find(({ name }) => name === rest.template)?.match;
    const regex = new RegExp(`^${match?.safe_regex?.regex}$`);
    expect(regex.test("/v1/tasks/0199:share")).toBe(true);
    expect(regex.test("/v1/tasks/0199/x:share")).toBe(false);
    expect(regex.test("/v1/tasks/:share")).toBe(false);
  });
});

describe("the edge", () => {
  test("refuses what has the shape of an RPC and is none of the open ones, before anything else may match", () => {
    const routes = routesOf("edge");
    const refusal = routes.findIndex(
      ({ match, direct_response }) => match.safe_regex && direct_response?.status === 404,
    );
    const catchAll = routes.findIndex(({ match, route }) => match.prefix === "/" && route?.cluster === "gateway_http");
    expect(refusal).toBeGreaterThan(0);
    expect(refusal).toBeLessThan(catchAll);
    const regex = new RegExp(`^${routes[refusal]?.match.safe_regex?.regex}$`);
    for (const rpc of allRpcs().filter((candidate) => !candidate.public)) expect(regex.test(rpc.path)).toBe(true);
    for (const path of [
      "/v1/tasks",
      "/",
      "/assets/app.js",
      "/.well-known/jwks.json",
      "/openapi.json",
      "/health/ready",
    ]) {
      expect(regex.test(path)).toBe(false);
    }
  });

  test("allows WebSocket on the paths of streams alone, which may be silent for longer than they ever are", () => {
    const upgrading = routesOf("edge").filter(({ route }) => route?.upgrade_configs);
    expect(upgrading.map(({ name }) => name)).toEqual(["/v1/notifications:watch", "/v1/live"]);
    for (const { route } of upgrading) expect(route).toMatchObject({ timeout: "0s", idle_timeout: "120s" });
  });

  test("has the limits of a listener that strangers reach", () => {
    const [edge] = listenersOf(envoyConfig(options));
    expect(edge.per_connection_buffer_limit_bytes).toBe(32_768);
    expect(managerOf(edge)).toMatchObject({
      use_remote_address: true,
      normalize_path: true,
      merge_slashes: true,
      path_with_escaped_slashes_action: "REJECT_REQUEST",
      request_headers_timeout: "10s",
      common_http_protocol_options: { headers_with_underscores_action: "REJECT_REQUEST" },
      http2_protocol_options: {
        max_concurrent_streams: 100,
        initial_stream_window_size: 65_536,
        initial_connection_window_size: 1_048_576,
      },
    });
  });

  test("has the same rules with TLS", () => {
    const tls = { certFile: "/tls/cert.pem", keyFile: "/tls/key.pem" };
    const [plain, secure, ...others] = listenersOf(envoyConfig({ ...options, edgeTlsPort: 8443, tls }));
    expect(others.map(({ name }) => name)).toEqual(["mesh"]);
    expect({ ...managerOf(secure), stat_prefix: "edge" }).toEqual(managerOf(plain));
    expect(secure.filter_chains[0].transport_socket.typed_config.common_tls_context).toMatchObject({
      alpn_protocols: ["h2", "http/1.1"],
      tls_params: { tls_minimum_protocol_version: "TLSv1_2" },
    });
  });
});

describe("every cluster of ours", () => {
  const clusters = clustersOf();

  test("is there once, and every route leads to one", () => {
    const names = clusters.map(({ name }) => name);
    expect(names).toEqual(["gateway_http", "gateway_grpc", ...serviceNames]);
    const used = [...routesOf("edge"), ...routesOf("mesh")].flatMap(({ route }) => route?.cluster ?? []);
    expect([...new Set(used)].sort()).toEqual([...names].sort());
  });

  test.each(clusters.map((cluster) => [cluster.name, cluster]))(
    "%s is watched, bounded and never panics",
    (_name, cluster) => {
      expect(cluster).toMatchObject({
        lb_policy: "LEAST_REQUEST",
        common_lb_config: { healthy_panic_threshold: { value: 0 }, update_merge_window: "0s" },
        ignore_health_on_host_removal: true,
        outlier_detection: {
          interval: "2s",
          max_ejection_percent: 50,
          consecutive_gateway_failure: 3,
          enforcing_consecutive_gateway_failure: 100,
          split_external_local_origin_errors: true,
        },
      });
      const [thresholds] = cluster.circuit_breakers.thresholds;
      expect(
        Math.min(thresholds.max_connections, thresholds.max_requests, thresholds.max_pending_requests),
      ).toBeGreaterThan(10_000);
      expect(thresholds.retry_budget).toMatchObject({ budget_percent: { value: 16 } });
      const [health] = cluster.health_checks;
      expect(seconds(health.interval)).toBeLessThanOrEqual(0.5);
      expect(health.no_traffic_interval).toBe(health.interval);
    },
  );

  test("of a service is asked by gRPC, of the gateway by HTTP", () => {
    for (const { name, health_checks } of clusters) {
      const kind = name.startsWith("gateway") ? "http_health_check" : "grpc_health_check";
      expect(health_checks[0]).toHaveProperty(kind);
    }
  });

  test("is found by name in containers: looked at every 10 s, out after 3 failures, in after 2 passes, and by the client's address where that is wished [002.05]", () => {
    for (const cluster of clustersOf({ discovery: "dns" })) {
      expect(cluster.cluster_type.name).toBe("envoy.clusters.dns");
      expect(cluster.load_assignment.endpoints[0].lb_endpoints).toHaveLength(1);
      expect(cluster.lb_policy).toBe("LEAST_REQUEST");
      const [{ http_health_check, ...health }] = cluster.health_checks;
      expect(health).toMatchObject({ interval: "10s", unhealthy_threshold: 3, healthy_threshold: 2 });
      expect(health.no_traffic_interval).toBe("10s");
      if (cluster.name.startsWith("gateway")) expect(http_health_check.path).toMatch(/^\/health\//);
    }
    const sticky = clustersOf({ discovery: "dns", lbPolicy: "IP_HASH" });
    expect(sticky.map(({ lb_policy }) => lb_policy)).toEqual(sticky.map(() => "MAGLEV"));
  });

  test("takes the health of another port where that is said", () => {
    const [, gatewayGrpc] = clustersOf({
      discovery: "dns",
      gatewayGrpc: [{ host: "gateway", port: 2, healthPort: 1 }],
    });
    expect(gatewayGrpc.load_assignment.endpoints[0].lb_endpoints[0].endpoint).toMatchObject({
      health_check_config: { port_value: 1 },
    });
  });
});

describe("the whole", () => {
  test("keeps the admin page on loopback, wherever the listeners are, and routes nothing to it", () => {
    const config = envoyConfig({ ...options, host: "0.0.0.0" }) as Loose;
    expect(config.admin.address.socket_address).toEqual({ address: "127.0.0.1", port_value: 9901 });
    expect(listenersOf(config).map(({ address }) => address.socket_address.address)).toEqual(["0.0.0.0", "0.0.0.0"]);
    expect(JSON.stringify(config.static_resources)).not.toContain("9901");
  });

  test("traces both listeners when there is a collector, and neither otherwise", () => {
    expect(JSON.stringify(envoyConfig(options))).not.toContain('opentelemetry"');
    const managers = listenersOf(envoyConfig({ ...options, otlp: { host: "jaeger", port: 4317 } })).map(managerOf);
    expect(managers.map(({ tracing }) => tracing.provider.typed_config.service_name)).toEqual([
      "envoy-edge",
      "envoy-mesh",
    ]);
    for (const { tracing } of managers) expect(tracing.spawn_upstream_span).toBe(true);
  });

  test("bounds connections and memory", () => {
    const config = envoyConfig({ ...options, maxConnections: 7, maxHeapBytes: 9 }) as Loose;
    const monitors = config.overload_manager.resource_monitors.map(({ typed_config }: Loose) => typed_config);
    expect(monitors[0].max_heap_size_bytes).toBe(9);
    expect(monitors[1].max_active_downstream_connections).toBe(7);
    expect(config.layered_runtime.layers[0].static_layer["http.max_requests_per_io_cycle"]).toBe(1);
  });

  test("is written with an endpoint file for each cluster, and those can be replaced", async () => {
    const directory = await mkdtemp(join(tmpdir(), "taskmesh-envoy-"));
    try {
      const { configFile } = await writeEnvoyConfig({ ...options, directory });
      expect(parse(await readFile(configFile, "utf8"))).toEqual(
        JSON.parse(JSON.stringify(envoyConfig({ ...options, directory }))),
      );
      const watched = clustersOf({ directory }).map(
        (cluster) => cluster.eds_cluster_config.eds_config.path_config_source.path,
      );
      await writeEndpoints(directory, "task", [...at(5), ...at(50)]);
      const files = await Promise.all(watched.map(async (file) => JSON.parse(await readFile(file, "utf8"))));
      const counts = files.map(({ resources: [{ cluster_name, endpoints }] }) => [
        cluster_name,
        endpoints[0].lb_endpoints.length,
      ]);
      expect(Object.fromEntries(counts)).toEqual({
        gateway_http: 1,
        gateway_grpc: 1,
        auth: 1,
        user: 1,
        task: 2,
        notification: 1,
      });
      expect((await readdir(directory)).length).toBe(watched.length + 1);
    } finally {
      await rm(directory, { recursive: true });
    }
  });
});
