import { createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { Health, HealthCheckResponse_ServingStatus as Serving } from "#gen/grpc/health/v1/health_pb.js";
import { processTree, signalAll } from "../../cli/runner/process-tree.ts";
import type { TestMesh } from "../_util/mesh.ts";
import { until } from "../_util/until.ts";

/** How one cut was told of, in milliseconds. */
export interface Told {
  /** From the cut until everything that tells of it did. */
  away: number;
  /** From the part's return (with SIGKILL: its being ready again) until everything did. */
  back: number;
}

/** What must tell of a cut, by name; each answers whether all is well. */
export type Tellers = Record<string, () => Promise<boolean>>;

/** Pauses or kills a part of the mesh, waits until all tellers tell, runs `meanwhile`, and waits for its return. */
export async function cut(
  mesh: TestMesh,
  instance: string,
  signal: "SIGSTOP" | "SIGKILL",
  tellers: Tellers,
  meanwhile: () => Promise<void> = async () => {},
): Promise<Told> {
  const before = await stateOf(mesh, instance);
  const pids = await processTree(before.pid as number);
  const all = (wanted: boolean) =>
    Promise.all(
      Object.entries(tellers).map(([name, ask]) =>
        until(`${name} to be ${wanted} with ${instance} after ${signal}`, async () => (await ask()) === wanted, {
          // A consumer is ready once it is back in its group, which a broker that was killed lets it into when the sessions
          // of before are over.
          timeoutMs: 90_000,
          everyMs: 20,
        }),
      ),
    );
  let start = performance.now();
  signalAll(pids, signal);
  let away: number;
  try {
    await all(false);
    away = performance.now() - start;
    await meanwhile();
  } finally {
    start = performance.now();
    if (signal === "SIGSTOP") signalAll(pids.toReversed(), "SIGCONT");
  }
  if (signal === "SIGKILL") {
    const isBack = async () => {
      const now = await stateOf(mesh, instance);
      return now.pid !== before.pid && now.status === "ready";
    };
    await until(`${instance} to run again`, isBack, { timeoutMs: 120_000, everyMs: 20 });
    start = performance.now();
  }
  await all(true);
  return { away, back: performance.now() - start };
}

export async function stateOf(mesh: TestMesh, name: string) {
  const found = (await mesh.status()).instances.find((instance) => instance.name === name);
  if (found === undefined) throw new Error(`there is no instance ${name}`);
  return found;
}

/** Whether the answer is 200. */
export async function isWell(url: string): Promise<boolean> {
  const response = await fetch(url, { signal: AbortSignal.timeout(2_000) });
  await response.text();
  return response.status === 200;
}

/** What gRPC health pushes to somebody who watches a server. */
export function watchHealth(baseUrl: string, service = "") {
  const client = createClient(Health, createGrpcTransport({ baseUrl }));
  const over = new AbortController();
  let serving: boolean | undefined;
  const watching = (async () => {
    for await (const { status } of client.watch({ service }, { signal: over.signal })) {
      serving = status === Serving.SERVING;
    }
  })().catch(() => {});
  return {
    serving: async () => serving === true,
    close: async () => {
      over.abort();
      await watching;
    },
  };
}
