import { statfs } from "node:fs/promises";
import { availableParallelism, freemem, totalmem } from "node:os";
import { partModules } from "../runner/part-specs.ts";
import { cacheFolder } from "../runner/parts/cache.ts";
import * as jaeger from "../runner/parts/jaeger.ts";
import * as java from "../runner/parts/java.ts";
import { findOnMachine } from "../runner/parts/program.ts";
import * as prometheus from "../runner/parts/prometheus.ts";
import { isPortFree } from "../runner/ports.ts";
import { ownParts, ownPublicPorts, type Settings } from "../runner/settings.ts";
import { partTitles, publicPorts } from "../topology.ts";
import type { Finding } from "./finding.ts";

const gibibyte = 1024 ** 3;

/** Whether this machine can run the mesh: programs, ports, memory, disk and clock. */
export async function checkMachine(settings: Settings, isRunning: boolean): Promise<Finding[]> {
  return [
    ...(await checkParts(settings)),
    ...(await checkPorts(settings, isRunning)),
    ...(await checkResources()),
    await checkClock(),
  ];
}

async function checkParts(settings: Settings): Promise<Finding[]> {
  const names = ownParts(settings).filter((name) => name !== "postgres-replica");
  const findings = names.map(async (name): Promise<Finding> => {
    const check = partTitles[name];
    const program = await partModules[name].locate();
    if (program !== undefined) {
      return { check, ok: true, finding: `${program.version} (${program.source}: ${program.path})` };
    }
    const advice = await missingTool(name);
    return { check, ok: advice === undefined, finding: "not here yet; `npm start` fetches it", advice };
  });
  const runtime = await java.locate();
  const javaFinding = runtime ? `${runtime.version} (${runtime.path})` : "not here yet; `npm start` fetches it";
  const javaAdvice = runtime ? undefined : await missingTool("java");
  return [
    ...(await Promise.all(findings)),
    { check: "Java", ok: javaAdvice === undefined, finding: javaFinding, advice: javaAdvice },
  ];
}

/** What stands in the way of fetching a part; undefined when nothing does. */
async function missingTool(name: string): Promise<string | undefined> {
  switch (name) {
    case "postgres":
      return "run `npm ci` without --omit=optional, or set POSTGRES_URL";
    case "kafka":
      return (await findOnMachine("mvn")) ? undefined : "install Maven (`apt-get install maven`), or set KAFKA_BROKERS";
    case "jaeger":
      return (await jaeger.canBeBuilt()) ? undefined : jaeger.howToGetIt;
    case "prometheus":
      return (await findOnMachine("apt-get")) ? undefined : prometheus.howToGetIt;
    default:
      return (await findOnMachine("python3")) ? undefined : "install python3 with pip, by which it is fetched";
  }
}

async function checkPorts(settings: Settings, running: boolean): Promise<Finding[]> {
  return Promise.all(
    ownPublicPorts(settings).map(async (name): Promise<Finding> => {
      const { title, variable } = publicPorts[name];
      const port = settings.publicPorts[name];
      const free = running || (await isPortFree(port));
      const finding = running ? "ours, the mesh is running" : free ? "free" : "taken by another program";
      return { check: `port ${port} (${title})`, ok: free, finding, advice: `stop that program, or set ${variable}` };
    }),
  );
}

async function checkResources(): Promise<Finding[]> {
  const { bavail, bsize } = await statfs(cacheFolder()).catch(() => statfs("/"));
  const disk = (bavail * bsize) / gibibyte;
  const memory = totalmem() / gibibyte;
  return [
    { check: "Node", ok: true, finding: `${process.versions.node}, ${availableParallelism()} cores` },
    {
      check: "memory",
      ok: memory >= 3.5,
      finding: `${(freemem() / gibibyte).toFixed(1)} of ${memory.toFixed(1)} GiB free`,
      advice: "the mesh and its parts need 4 GiB: close other programs, or bring parts of your own (POSTGRES_URL …)",
    },
    {
      check: "disk",
      ok: disk >= 2,
      finding: `${disk.toFixed(1)} GiB free for ${cacheFolder()}`,
      advice: "the parts need 2 GiB with Jaeger's build: make room, or set TASKMESH_CACHE",
    },
  ];
}

/** Tokens and limits go by the clock: it must at least be past the day that this was written, and move evenly. */
async function checkClock(): Promise<Finding> {
  const [wall, steady] = [Date.now(), performance.now()];
  await new Promise((resolve) => setTimeout(resolve, 200));
  const drift = Math.abs(Date.now() - wall - (performance.now() - steady));
  const ok = drift < 50 && wall > Date.UTC(2026, 0, 1);
  const finding = `${new Date(wall).toISOString()}, ${drift.toFixed(0)} ms of jump in 200 ms`;
  return { check: "clock", ok, finding, advice: "set the time and let NTP hold it: tokens are valid by the clock" };
}
