import { mkdtemp, rm } from "node:fs/promises";
import { connect } from "node:http2";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { HttpClient } from "../../../cli/load/http.ts";
import { openLoop } from "../../../cli/load/open-loop.ts";
import {
  adminPage,
  canHandOver,
  describe as describeEnvoy,
  fetch,
  forgetSuccession,
  locate,
} from "../../../cli/runner/parts/envoy.ts";
import { startPart } from "../../../cli/runner/parts/start-part.ts";
import { pickPorts } from "../../../cli/runner/ports.ts";
import type { RunningPart } from "../../../cli/runner/process-spec.ts";
import { writeEnvoyConfig } from "../../../envoy/config.ts";
import { until } from "../../_util/until.ts";
import { grpcOver } from "./client.ts";
import { startGrpcUpstream, startHttpUpstream, type Upstream } from "./upstream.ts";

let folder: string;
let upstreams: Upstream[];
let ports: [edge: number, mesh: number, admin: number];
const envoys: RunningPart[] = [];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "taskmesh-hand-over-"));
  upstreams = [await startHttpUpstream(), await startGrpcUpstream()];
  ports = (await pickPorts(3)) as typeof ports;
  envoys.push(await startEnvoy(0));
});

afterAll(async () => {
  for (const envoy of envoys) await envoy.stop();
  await forgetSuccession(ports[1]);
  for (const upstream of upstreams) await upstream.stop();
  await rm(folder, { recursive: true, force: true });
});

async function startEnvoy(epoch: number): Promise<RunningPart> {
  const [edgePort, meshPort, adminPort] = ports;
  const [gateway, service] = upstreams.map(({ port }) => [{ host: "127.0.0.1", port }]) as [Endpoints, Endpoints];
  const { configFile } = await writeEnvoyConfig({
    ...{ directory: folder, edgePort, meshPort, adminPort, rateLimitScale: Number.POSITIVE_INFINITY },
    ...{ gatewayHttp: gateway, gatewayGrpc: [] },
    services: { auth: [], user: [], task: service, notification: [] },
  });
  const program = (await locate()) ?? (await fetch(() => {}));
  const succession = { id: meshPort, epoch };
  const spec = await describeEnvoy(program, { configFile, adminPort, logFile: join(folder, "envoy.log"), succession });
  return startPart(spec, `http://127.0.0.1:${adminPort}`);
}

type Endpoints = { host: string; port: number }[];

const epochNow = async () => JSON.parse(await adminPage(ports[2], "/server_info")).command_line_options.restart_epoch;

test("a new Envoy takes over the open ports: calls go on over kept connections, and none fails", async () => {
  expect(await canHandOver()).toBe(true);
  const client = new HttpClient(new URL(`http://127.0.0.1:${ports[0]}`), 16);
  const stop = new AbortController();
  const load = openLoop({
    phases: [{ rate: 40, seconds: 120 }],
    send: async () => {
      try {
        const { status } = await client.call({ method: "POST", path: "/v1/tasks", body: {} });
        return status === 200 ? undefined : String(status);
      } catch (error) {
        return String((error as NodeJS.ErrnoException).code);
      }
    },
    signal: stop.signal,
  });
  const calls = callOverMesh(stop.signal);
  envoys.push(await startEnvoy(1));
  expect(await epochNow()).toBe(1);
  // The old one ends by itself, once its connections have been told.
  const [old] = envoys as [RunningPart];
  await until("the old Envoy to end", () => !isAlive(old.pid), { timeoutMs: 60_000 });
  stop.abort();
  // Closing the client would end the calls that are under way.
  const { due, failures } = await load;
  client.close();
  expect(due).toBeGreaterThan(100);
  expect(failures).toEqual({});
  const { answered, connections } = await calls;
  expect(answered.filter((status) => status !== 0)).toEqual([]);
  expect(connections).toBeGreaterThan(1);
});

test("the one that has taken over hands over in its turn, and is started again after its end", async () => {
  const last = await startEnvoy(2);
  expect(await epochNow()).toBe(2);
  process.kill(last.pid, "SIGKILL");
  await until("it to end", () => !isAlive(last.pid));
  for (const envoy of envoys) await envoy.stop();
  envoys.push(await startEnvoy(2));
  expect(await epochNow()).toBe(2);
});

/** One call after the other on the mesh listener, over one connection as long as it takes new ones: as our services do. */
async function callOverMesh(signal: AbortSignal) {
  const answered: number[] = [];
  let connections = 0;
  while (!signal.aborted) {
    connections++;
    const session = connect(`http://127.0.0.1:${ports[1]}`);
    session.on("error", () => {});
    let isLeaving = false;
    session.on("goaway", () => {
      isLeaving = true;
    });
    while (!isLeaving && !session.closed && !signal.aborted) {
      const { grpcStatus } = await grpcOver(session, "/task.v1.TaskService/CreateTask");
      answered.push(grpcStatus);
      await new Promise((done) => setTimeout(done, 10));
    }
    session.close();
  }
  return { answered, connections };
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
