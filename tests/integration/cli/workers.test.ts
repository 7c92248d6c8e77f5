import { afterAll, afterEach, beforeAll, describe, expect, inject, it } from "vitest";
import { parseMetrics } from "../../../cli/metrics/parse.ts";
import { isPortFree, pickPorts } from "../../../cli/runner/ports.ts";
import { processTree } from "../../../cli/runner/process-tree.ts";
import { until } from "../../_util/until.ts";
import { type Program, run, writeIdentities } from "../health/processes.ts";

let identities: Awaited<ReturnType<typeof writeIdentities>>;
let program: Program | undefined;
beforeAll(async () => {
  identities = await writeIdentities(["gateway"]);
});
afterEach(() => program?.kill());
afterAll(() => identities.remove());

/** A worker is a program that has to start, on a machine that may be busy. */
const patience = { timeoutMs: 90_000 };

const statusOf = (url: string) =>
  fetch(url, { headers: { connection: "close" } }).then(
    ({ status }) => status,
    () => 0,
  );

/** How many requests a worker has answered, by its own page. */
async function answered(page: string): Promise<number> {
  const samples = parseMetrics(await (await fetch(`${page}/metrics`)).text());
  return samples
    .filter(({ name }) => name === "http_server_request_duration_count")
    .reduce((sum, { value }) => sum + value, 0);
}

async function start(workers: string, more: Record<string, string> = {}) {
  const [http = 0, grpc = 0, mesh = 0] = await pickPorts(3);
  const admin = await twoPorts();
  program = run(
    "cli/workers/main.ts",
    {
      ...identities.env("gateway"),
      WORKERS: workers,
      MESH_ADDRESS: `127.0.0.1:${mesh}`,
      REDIS_URL: inject("redis"),
      RATE_LIMIT_PRESET: "off",
      GATEWAY_HTTP_PORT: String(http),
      GATEWAY_GRPC_PORT: String(grpc),
      ADMIN_PORT: String(admin),
      ...more,
    },
    ["gateway"],
  );
  return {
    program,
    http: `http://127.0.0.1:${http}`,
    pages: [admin, admin + 1].map((port) => `http://127.0.0.1:${port}`),
  };
}

describe("a process in several workers", () => {
  it("shares its port among them, replaces one that is killed, and stops as one [004.20]", async () => {
    const { program, http, pages } = await start("2");
    const ready = async () =>
      (await Promise.all(pages.map((page) => statusOf(`${page}/ready`)))).every((one) => one === 200);
    await until("both workers to be ready", ready, patience);
    await until(
      "each of them to have answered on the one port",
      async () => {
        expect(await statusOf(`${http}/v1/tasks`)).toBe(401);
        return (await Promise.all(pages.map(answered))).every((count) => count > 0);
      },
      patience,
    );

    const workers = async () => (await processTree(program.pid)).slice(1);
    const pids = await workers();
    expect(pids).toHaveLength(2);
    process.kill(pids[0] as number, "SIGKILL");
    await until(
      "another in the place of the one that was killed",
      async () => {
        const now = await workers();
        return now.length === 2 && !now.includes(pids[0] as number) && ready();
      },
      patience,
    );

    process.kill(program.pid, "SIGTERM");
    expect(await program.ended).toBe(0);
    expect(await Promise.all([...pages, http].map(statusOf))).toEqual([0, 0, 0]);
  });

  it("ends when one of them cannot start, and says why once for each", async () => {
    const { program } = await start("2", { MESH_ADDRESS: "nowhere" });
    expect(await program.ended).toBe(1);
    expect(program.output()).toMatch(
      /^gateway cannot start: MESH_ADDRESS is wrong: it must be an address, host:port$/m,
    );
  });

  it("that there is not, or of a wrong number, is told in one line", async () => {
    program = run("cli/workers/main.ts", {}, ["gatway"]);
    expect(await program.ended).toBe(1);
    expect(program.output()).toMatch(/^gatway cannot start: there is no process of that name: it is one of .+\n$/);
    program = run("cli/workers/main.ts", { WORKERS: "0" }, ["gateway"]);
    expect(await program.ended).toBe(1);
    expect(program.output()).toBe("gateway cannot start: WORKERS is wrong: it must be an integer from 1 to 64\n");
  });
});

/** A port that is free, and the one after it. */
function twoPorts(): Promise<number> {
  return until("two free ports side by side", async () => {
    const [port = 0] = await pickPorts(1);
    return (await isPortFree(port + 1)) && port;
  });
}
