import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { environmentOf, type Surroundings } from "../../cli/runner/environment.ts";
import { findHome, type Home, makeHome, repositoryRoot } from "../../cli/runner/home.ts";
import { ensureKeys } from "../../cli/runner/keys.ts";
import { cacheFolder } from "../../cli/runner/parts/cache.ts";
import * as envoy from "../../cli/runner/parts/envoy.ts";
import * as redis from "../../cli/runner/parts/redis.ts";
import { startPart } from "../../cli/runner/parts/start-part.ts";
import { pickPorts } from "../../cli/runner/ports.ts";
import type { ProcessSpec, RunningPart } from "../../cli/runner/process-spec.ts";
import { specOf } from "../../cli/runner/process-specs.ts";
import { type Endpoint, writeEnvoyConfig } from "../../envoy/config.ts";
import { progress } from "./progress.ts";

const host = "127.0.0.1";
const nobody: Endpoint[] = [];

/** Some running programs, by name and pid, and the address in front. */
export interface Running {
  url: string;
  pids: Map<string, number>;
  stop(): Promise<void>;
}

/** An Envoy as a mesh has it, with these behind its clusters. */
async function startEnvoy(
  folder: string,
  name: string,
  members: { mesh: number; gateway: Endpoint[]; gatewayGrpc?: Endpoint[]; services: Endpoint[] },
): Promise<RunningPart> {
  const [edgePort, adminPort] = (await pickPorts(2)) as [number, number];
  const { configFile } = await writeEnvoyConfig({
    directory: join(folder, name),
    edgePort,
    adminPort,
    meshPort: members.mesh,
    gatewayHttp: members.gateway,
    gatewayGrpc: members.gatewayGrpc ?? nobody,
    services: { auth: members.services, user: nobody, task: members.services, notification: nobody },
    rateLimitScale: Number(process.env.RATE_LIMIT_SCALE ?? 1),
  });
  const part = await envoy.start({ configFile, adminPort, logFile: join(folder, `${name}.log`) }, progress);
  return { ...part, address: `http://${host}:${edgePort}` };
}

/** Edge Envoy → fastify: an Envoy with a plain HTTP server behind its edge listener. */
export async function startPlainEdge(folder: string, server: URL): Promise<Running> {
  const [mesh] = (await pickPorts(1)) as [number];
  const gateway = [{ host, port: Number(server.port) }];
  const { address, pid, stop } = await startEnvoy(folder, "envoy-plain", { mesh, gateway, services: nobody });
  return { url: address, pids: new Map([["envoy", pid]]), stop };
}

/** Edge Envoy → gateway → mesh Envoy → echo: the way of every call, with a service at its end that costs nothing. */
export async function startEchoMesh(folder: string, jwks: string): Promise<Running> {
  const home = findHome(folder);
  makeHome(home);
  mkdirSync(home.keys, { recursive: true });
  const [mesh, redisPort, http, grpc, admin, echoGrpc, echoAdmin] = await pickPorts(7);
  const ports = { http, grpc, admin } as Record<string, number>;
  const echoPorts = { grpc: echoGrpc, admin: echoAdmin } as Record<string, number>;
  const surroundings = surroundingsOf(home, { mesh: mesh as number, redis: redisPort as number });
  const files = { dataDir: join(home.data, "redis"), logFile: join(home.logs, "redis.log") };
  const started = new Map<string, RunningPart>();
  const start = async (name: string, running: Promise<RunningPart>) => void started.set(name, await running);
  const stop = async () => {
    for (const part of [...started.values()].reverse()) await part.stop();
  };
  try {
    await start("redis", redis.start({ ...files, port: redisPort as number }, progress));
    const front = await startEnvoy(folder, "envoy", {
      mesh: mesh as number,
      gateway: [{ host, port: ports.http as number }],
      gatewayGrpc: [{ host, port: ports.grpc as number, healthPort: ports.http as number }],
      services: [{ host, port: echoPorts.grpc as number }],
    });
    started.set("envoy", front);
    await start("echo", startPart(echoSpec(home, surroundings, { ports: echoPorts, jwks }), ""));
    await start("gateway", startPart(specOf("gateway", "gateway-1", ports, { home, surroundings }), ""));
    return { url: front.address, pids: new Map([...started].map(([name, { pid }]) => [name, pid])), stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

function surroundingsOf(home: Home, ports: { mesh: number; redis: number }): Surroundings {
  return {
    keys: ensureKeys(home.keys),
    databases: {},
    readDatabases: {},
    redis: `redis://${host}:${ports.redis}`,
    kafka: `${host}:9`,
    mesh: `${host}:${ports.mesh}`,
    smtp: `smtp://${host}:9`,
    otlp: undefined,
    publicUrl: `http://${host}`,
    mailFolder: home.mail,
    compileCache: join(cacheFolder(), "node"),
    compiled: Promise.resolve(),
  };
}

/** The task service's spec, with the echo in its place. */
function echoSpec(
  home: Home,
  surroundings: Surroundings,
  { ports, jwks }: { ports: Record<string, number>; jwks: string },
): ProcessSpec {
  const spec = specOf("task", "task-1", ports, { home, surroundings });
  return {
    ...spec,
    args: [...spec.args.slice(0, -1), "tests/bench/peers/echo-grpc.ts"],
    env: { ...environmentOf("task", "task-1", ports, surroundings), BENCH_JWKS: jwks },
    cwd: repositoryRoot,
  };
}
