import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, beforeEach, expect, test } from "vitest";
import { faultKeys } from "../../../envoy/faults.ts";
import { faultRpc } from "./rpc-faults.ts";

const target = "task.v1.TaskService/CreateTask";
const { abortPercent } = faultKeys(target);
let envoy: Server;
let port: number;
let status: number;
let runtime: Map<string, string>;
let asked: number;

/** Envoy's admin page, as far as faults go. */
beforeEach(async () => {
  [status, runtime, asked] = [200, new Map(), 0];
  envoy = createServer(({ method, url = "" }, response) => {
    asked++;
    const { pathname, searchParams } = new URL(url, "http://envoy");
    if (method === "POST" && pathname === "/runtime_modify" && status === 200)
      for (const [key, value] of searchParams) runtime.set(key, value);
    response.writeHead(status).end("OK\n");
  });
  await once(envoy.listen(0, "127.0.0.1"), "listening");
  port = (envoy.address() as AddressInfo).port;
});
afterEach(() => envoy.close());

test("of two faults of one RPC the newest that is left holds", async () => {
  const first = await faultRpc(port, { kind: "rpc", target, grpcStatus: 14, percent: 100 });
  const second = await faultRpc(port, { kind: "rpc", target, grpcStatus: 5, percent: 30 });
  await first();
  expect(runtime.get(abortPercent)).toBe("30");
  await second();
  expect(runtime.get(abortPercent)).toBe("0");
});

test("a fault that Envoy cannot be told to end ends as soon as it can", async () => {
  const heal = await faultRpc(port, { kind: "rpc", target, grpcStatus: 14, percent: 100 });
  status = 503;
  await heal();
  expect(runtime.get(abortPercent)).toBe("100");
  status = 200;
  await expect.poll(() => runtime.get(abortPercent), { timeout: 10_000 }).toBe("0");
});

test("one that Envoy does not take is one line, and is not tried again once the mesh stops", async () => {
  status = 503;
  const fault = { kind: "rpc", target, grpcStatus: 14, percent: 100 } as const;
  await expect(faultRpc(port, fault, AbortSignal.abort())).rejects.toThrow("Envoy does not take the fault");
  expect(asked).toBe(2);
});
