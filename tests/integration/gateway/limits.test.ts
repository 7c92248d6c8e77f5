import { create } from "@bufbuild/protobuf";
import { Code, ConnectError, createClient } from "@connectrpc/connect";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import { AuthService } from "#gen/auth/v1/auth_service_pb.js";
import { ErrorInfoSchema, RetryInfoSchema } from "#gen/google/rpc/error_details_pb.js";
import { ErrorReason } from "#gen/mesh/v1/error_reason_pb.js";
import { NotificationService } from "#gen/notification/v1/notification_service_pb.js";
import { TaskSchema } from "#gen/task/v1/task_pb.js";
import { TaskService } from "#gen/task/v1/task_service_pb.js";
import { newApiKey } from "#kit/auth/api-key.ts";
import { testIssuer } from "#kit/auth/testing.ts";
import { unauthenticated } from "#kit/errors.ts";
import { newId } from "#kit/id.ts";
import { type Edge, type Protocol, startEdge } from "./edge.ts";
import { limitsWith, newAddress, stateOf } from "./limits.ts";

const protocols: Protocol[] = ["Connect JSON", "Connect", "gRPC-Web", "gRPC"];
const taskId = newId();
const issuer = testIssuer();
// Full buckets do not fill again while a test runs.
const lasting = [
  "general=50/50000",
  "general-premium=500/500000",
  "auth=10/10000",
  "general-address=50/50000",
  "auth-address=10/10000",
  "anonymous-minute=100/60000",
];
// A machine that is busy with other tests does not turn a gateway away from Redis.
const patienceMs = 10_000;
let gateways: Edge[];
let edge: Edge;

beforeAll(async () => {
  const settings = {
    redis: { url: inject("redis") },
    limits: { limits: limitsWith("standard", ...lasting), patienceMs },
  };
  gateways = await Promise.all([1, 2, 3].map(() => startEdge(settings, issuer)));
  for (const { handlers } of gateways) {
    handlers.set("task.v1.TaskService/GetTask", async () => ({ task: create(TaskSchema, { taskId }) }));
    handlers.set("auth.v1.AuthService/Login", async () => ({ accessToken: "a" }));
  }
  edge = gateways[0] as Edge;
  // Each has the keys for tokens: a call that waits for them in vain is no measure of a limit.
  for (const gateway of gateways) expect((await read({ token: tokenOf(), gateway })).status).toBe(200);
});
afterAll(() => Promise.all(gateways.map((gateway) => gateway.close())));

interface Calling {
  from?: string;
  token?: string | undefined;
  gateway?: Edge;
}

const tokenOf = (claims: Record<string, unknown> = {}) => issuer.token({ sub: newId(), ...claims });

/** A call that reads a task, by REST. */
function read({ from = newAddress(), token, gateway = edge }: Calling): Promise<Response> {
  const headers: Record<string, string> = { "x-forwarded-for": from };
  if (token !== undefined) headers.authorization = `Bearer ${token}`;
  return fetch(`${gateway.url}/v1/tasks/${taskId}`, { headers });
}

function login({ from = newAddress(), gateway = edge }: Calling): Promise<Response> {
  const headers = { "x-forwarded-for": from, "content-type": "application/json" };
  const body = JSON.stringify({ email: "a@b.example", password: "correct horse" });
  return fetch(`${gateway.url}/v1/auth/login`, { method: "POST", headers, body });
}

/** How many of so many calls at once, spread over the gateways, were not refused. */
async function allowedOf(count: number, call: (gateway: Edge) => Promise<Response>): Promise<number> {
  const statuses = await Promise.all(
    Array.from({ length: count }, async (_, n) => {
      const response = await call(gateways[n % gateways.length] as Edge);
      await response.arrayBuffer();
      return response.status;
    }),
  );
  return statuses.filter((status) => status !== 429).length;
}

describe("counted exactly, by all gateways together", () => {
  test("1,000 calls at once of one user from many addresses: 50 go through", async () => {
    const token = tokenOf();
    expect(await allowedOf(1000, (gateway) => read({ token, gateway }))).toBe(50);
  });

  test("1,000 calls at once from one address by many users: 50 go through", async () => {
    const from = newAddress();
    expect(await allowedOf(1000, (gateway) => read({ from, token: tokenOf(), gateway }))).toBe(50);
  });

  test("logins are of a class of their own: 10 go through, and the address may still read", async () => {
    const from = newAddress();
    expect(await allowedOf(100, (gateway) => login({ from, gateway }))).toBe(10);
    expect((await read({ from, token: tokenOf() })).status).toBe(200);
  });

  test("callers with bad tokens are counted before they are told so", async () => {
    const from = newAddress();
    expect(await allowedOf(200, (gateway) => read({ from, token: "forged.forged.forged", gateway }))).toBe(50);
    const { status, headers } = await read({ from, token: "forged.forged.forged" });
    expect([status, headers.get("www-authenticate")]).toEqual([429, null]);
  });

  test("guesses at API keys are counted as logins are, before the auth service is asked", async () => {
    const from = newAddress();
    let asked = 0;
    for (const { handlers } of gateways) {
      handlers.set("auth.v1.AuthService/ExchangeApiKey", async () => {
        asked += 1;
        throw unauthenticated(ErrorReason.TOKEN_INVALID, "no such key");
      });
    }
    expect(await allowedOf(60, (gateway) => read({ from, token: newApiKey(newId()), gateway }))).toBe(10);
    expect(asked).toBe(10);
  });

  test("an address that the client claims for itself does not give it a bucket of its own", async () => {
    const from = newAddress();
    const call = (gateway: Edge) => read({ from: `${newAddress()}, ${from}`, token: tokenOf(), gateway });
    expect(await allowedOf(100, call)).toBe(50);
  });

  test("addresses of one /64 are one customer's", async () => {
    const from = () => `2001:db8:${stamp}:1:${Math.floor(Math.random() * 65_536).toString(16)}::1`;
    const stamp = Math.floor(Math.random() * 65_536).toString(16);
    expect(await allowedOf(100, (gateway) => read({ from: from(), token: tokenOf(), gateway }))).toBe(50);
    expect((await read({ from: `2001:db8:${stamp}:2::1`, token: tokenOf() })).status).toBe(200);
  });
});

describe("who is counted", () => {
  test("a premium account has 500 where others have 50, whatever address it shares", async () => {
    const from = newAddress();
    await allowedOf(60, (gateway) => read({ from, token: tokenOf(), gateway }));
    const token = tokenOf({ tier: "premium" });
    expect(await allowedOf(600, (gateway) => read({ from, token, gateway }))).toBe(500);
  });

  test("an API key has limits of its own, beside those of its user", async () => {
    const sub = newId();
    const key = { sub, key_id: newId(), scope: "tasks:read" };
    expect(await allowedOf(60, (gateway) => read({ token: tokenOf(key), gateway }))).toBe(50);
    expect((await read({ token: tokenOf({ sub }) })).status).toBe(200);
    expect((await read({ token: tokenOf({ ...key, key_id: newId() }) })).status).toBe(200);
  });

  test("without a token an address has 100 a minute, 500 in ten and 2,000 an hour", async () => {
    const { headers } = await fetch(`${edge.url}/v1/nothing`, { headers: { "x-forwarded-for": newAddress() } });
    expect(headers.get("ratelimit-policy")).toContain(
      '"anonymous-minute";q=100;w=60000, "anonymous-10-minutes";q=500;w=600, "anonymous-hour";q=2000;w=3600',
    );
    expect(stateOf(headers, "anonymous-hour")).toEqual({ remaining: 1999, seconds: 2 });
  });
});

test("a call takes what its RPC costs, which the description of the API says [task.25]", async () => {
  // biome-ignore lint/suspicious/noExplicitAny: a test looks into a document of every shape
  const { paths, components } = (await (await fetch(`${edge.url}/openapi.json`)).json()) as any;
  expect(paths["/v1/tasks:import"].post["x-ratelimit-cost"]).toBe(20);
  expect(paths["/v1/tasks"].get["x-ratelimit-cost"]).toBe(1);
  expect(Object.keys(paths["/v1/tasks"].get.responses["200"].headers)).toEqual(
    expect.arrayContaining(["RateLimit", "RateLimit-Policy"]),
  );
  expect(components.headers.RateLimit).toBeDefined();
  const headers = {
    "x-forwarded-for": newAddress(),
    authorization: `Bearer ${tokenOf()}`,
    "content-type": "application/json",
  };
  const send = () => fetch(`${edge.url}/v1/tasks:import`, { method: "POST", headers, body: "{}" });
  for (const remaining of [30, 10]) {
    expect(stateOf((await send()).headers, "general")).toMatchObject({ remaining });
  }
  const refused = await send();
  expect(refused.status).toBe(429);
  // Ten points are left, and twenty are asked for: ten more come in 10,000 s.
  expect(Math.abs(Number(refused.headers.get("retry-after")) - 10_000)).toBeLessThan(60);
});

describe("what an answer says [pain.11]", () => {
  const policy = '"general";q=50;w=50000, "general-address";q=50;w=50000';

  test("REST: the policy, what is left, and how long to wait", async () => {
    const [from, token] = [newAddress(), tokenOf()];
    const first = await read({ from, token });
    expect(first.headers.get("ratelimit-policy")).toBe(policy);
    expect(first.headers.get("ratelimit")).toBe('"general";r=49;t=1000, "general-address";r=49;t=1000');
    expect(first.headers.get("retry-after")).toBeNull();
    await allowedOf(49, (gateway) => read({ from, token, gateway }));
    const refused = await read({ from, token });
    expect(refused.status).toBe(429);
    expect(refused.headers.get("content-type")).toMatch("application/problem+json");
    expect(await refused.json()).toMatchObject({ code: "RESOURCE_EXHAUSTED", reason: "RATE_LIMITED", status: 429 });
    const wait = stateOf(refused.headers, "general");
    expect(wait).toEqual({ remaining: 0, seconds: Number(refused.headers.get("retry-after")) });
    expect(Math.abs((wait?.seconds ?? 0) - 1000)).toBeLessThan(30);
  });

  test.each(protocols)("%s: the same, and RetryInfo", async (protocol) => {
    const headers = { "x-forwarded-for": newAddress(), authorization: `Bearer ${tokenOf()}` };
    const client = createClient(TaskService, edge.transports[protocol]);
    let seen = new Headers();
    const get = () => client.getTask({ taskId }, { headers, onHeader: (answered) => (seen = answered) });
    await get();
    expect(seen.get("ratelimit-policy")).toBe(policy);
    expect(stateOf(seen, "general")).toEqual({ remaining: 49, seconds: 1000 });
    await Promise.all(Array.from({ length: 49 }, get));
    const error = ConnectError.from(await get().catch((thrown) => thrown));
    expect(error.code).toBe(Code.ResourceExhausted);
    const [info] = error.findDetails(ErrorInfoSchema);
    expect(info).toMatchObject({ reason: "RATE_LIMITED", metadata: { limits: "general, general-address" } });
    const [retry] = error.findDetails(RetryInfoSchema);
    expect(Math.abs(Number(retry?.retryDelay?.seconds) - 1000)).toBeLessThan(30);
    expect(stateOf(error.metadata, "general")).toMatchObject({ remaining: 0 });
    expect(Number(error.metadata.get("retry-after"))).toBeGreaterThan(900);
  });

  test.each(protocols)("%s: a public call too", async (protocol) => {
    const headers = { "x-forwarded-for": newAddress() };
    let seen = new Headers();
    const client = createClient(AuthService, edge.transports[protocol]);
    await client.login(
      { email: "a@b.example", password: "correct horse" },
      { headers, onHeader: (answered) => (seen = answered) },
    );
    expect(stateOf(seen, "auth-address")).toEqual({ remaining: 9, seconds: 1000 });
  });
});

describe("a stream is counted when it is opened", () => {
  beforeAll(() => {
    edge.handlers.set("notification.v1.NotificationService/WatchNotifications", async function* () {
      yield { unreadCount: 1 };
    });
  });

  test.each(["application/x-ndjson", "text/event-stream"])("%s", async (accept) => {
    const headers = { accept, "x-forwarded-for": newAddress(), authorization: `Bearer ${tokenOf()}` };
    const response = await fetch(`${edge.url}/v1/live`, { headers });
    expect([response.status, stateOf(response.headers, "general")]).toEqual([200, { remaining: 49, seconds: 1000 }]);
    expect(await response.text()).toContain('"unreadCount":1');
  });

  test.each(protocols)("%s", async (protocol) => {
    const headers = { "x-forwarded-for": newAddress(), authorization: `Bearer ${tokenOf()}` };
    const client = createClient(NotificationService, edge.transports[protocol]);
    let seen = new Headers();
    const open = async () => {
      for await (const _ of client.watchNotifications({}, { headers, onHeader: (answered) => (seen = answered) }));
    };
    await open();
    expect(stateOf(seen, "general")).toEqual({ remaining: 49, seconds: 1000 });
    await allowedOf(49, (gateway) => fetch(`${gateway.url}/v1/tasks/${taskId}`, { headers }));
    const error = ConnectError.from(await open().catch((thrown) => thrown));
    expect([error.code, error.findDetails(RetryInfoSchema).length]).toEqual([Code.ResourceExhausted, 1]);
    expect(stateOf(error.metadata, "general") ?? stateOf(seen, "general")).toMatchObject({ remaining: 0 });
  });
});

describe("what is no RPC", () => {
  const page = (path: string, from: string) => fetch(edge.url + path, { headers: { "x-forwarded-for": from } });

  test.each(["/", "/openapi.json", "/health/services"])("%s counts for the address", async (path) => {
    const { headers } = await page(path, newAddress());
    expect(headers.get("ratelimit")).toBe('"general-address";r=49;t=1000');
  });

  test.each(["/health/live", "/health/ready"])("%s is always answered", async (path) => {
    const from = newAddress();
    const responses = await Promise.all(Array.from({ length: 60 }, () => page(path, from)));
    expect(responses.filter(({ status }) => status !== 200)).toEqual([]);
  });

  test("looking for what does not exist is counted as a stranger's call", async () => {
    const from = newAddress();
    const statuses = await Promise.all(Array.from({ length: 60 }, async () => (await page("/wp-admin", from)).status));
    expect(statuses.filter((status) => status === 404)).toHaveLength(50);
    expect(statuses.filter((status) => status === 429)).toHaveLength(10);
  });
});
