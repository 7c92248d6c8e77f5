import { join } from "node:path";
import { HttpClient } from "../../../cli/load/http.ts";
import { openLoop, type Phase } from "../../../cli/load/open-loop.ts";
import * as kafka from "../../../cli/runner/parts/kafka.ts";
import { pickPorts } from "../../../cli/runner/ports.ts";
import { TestMesh } from "../../_util/mesh.ts";
import { Person } from "../../_util/person.ts";
import { until } from "../../_util/until.ts";
import type { Finding, Measure } from "../measure.ts";
import { footprint, type Memory, type MeshMemory, mebibytes, memoryOf, memoryOfFamily, sumOf } from "../memory.ts";
import { MixedCalls } from "../mixed-calls.ts";
import { keepFull, offer, offeredRate, openLoad, outcomeOf } from "../open-load.ts";
import { startPeer } from "../peers/start-peer.ts";
import { during, progress } from "../progress.ts";
import { type Effort, middleOf, quantile } from "../ratio.ts";
import type { Stage } from "../stage.ts";

const connections = 64;
const mostOfOne = 130 * 2 ** 20;
const mostOfAll = 1.6 * 2 ** 30;
const idleMs = 3000;
const warmUpSeconds = 3;

/** P12: what all of it takes of memory, and how soon it is of use. */
export const footprintAndStart: Measure = {
  id: "P12",
  title:
    "memory of our processes ÷ as many bare fastify processes; `up` until a notification has come ÷ Kafka's own start",
  ours: "mesh",
  peer: "peer",
  seconds: 30,
  effort: { rounds: 3 },
  run: async (stage, effort) => {
    const rounds: Round[] = [];
    const hasJaeger = await stage.bringJaeger();
    // Neither the first start, which compiles, nor the files that it reads for the first time.
    if (effort.warmUp.answers > 0) await startOnce(stage, "warm-up");
    while (rounds.length < effort.rounds) {
      const phase = { rate: offeredRate(effort), seconds: effort.seconds };
      rounds.push(await oneRound(stage, phase, `round ${rounds.length + 1} of ${effort.rounds}`, hasJaeger));
    }
    return findingOf(rounds, effort, hasJaeger);
  },
};

/** How long starts took, in seconds. */
interface Starts {
  kafka: number;
  /** From the command until everything was ready, and until a notification of the first task had come. */
  ready: number;
  useful: number;
}

interface Weight {
  mesh: MeshMemory;
  bare: Omit<Memory, "name">;
}

interface Round {
  starts: Starts;
  idle: Weight;
  loaded: Weight;
  p99: number;
}

interface Started {
  mesh: TestMesh;
  people: Person[];
  starts: Starts;
}

/** A-B: Kafka alone, then a whole mesh, each with new data. The mesh stays until its stage ends. */
async function startOnce(stage: Stage, title: string): Promise<void> {
  await using part = stage.part();
  await startBoth(part, title);
}

async function startBoth(stage: Stage, title: string): Promise<Started> {
  const kafkaSeconds = await startKafkaAlone(stage);
  const begin = performance.now();
  const elapsed = () => (performance.now() - begin) / 1000;
  const mesh = await stage.start("Starting a mesh", () => TestMesh.start({ env: { MESH_PROFILE: "light" } }));
  const ready = elapsed();
  const people = await untilNotified(mesh.edge);
  const starts = { kafka: kafkaSeconds, ready, useful: elapsed() };
  progress(
    `P12 ${title}: Kafka ${inSeconds(starts.kafka)}, mesh ready ${inSeconds(ready)}, of use ${inSeconds(starts.useful)}`,
  );
  return { mesh, people, starts };
}

async function startKafkaAlone(stage: Stage): Promise<number> {
  const [port, controllerPort] = (await pickPorts(2)) as [number, number];
  const folder = join(stage.folder, "kafka-alone");
  const files = { dataDir: join(folder, "data"), logFile: join(folder, "kafka.log") };
  const begin = performance.now();
  const broker = await stage.start("Starting Kafka alone", () => kafka.start({ ...files, port, controllerPort }));
  const seconds = (performance.now() - begin) / 1000;
  await broker.stop();
  return seconds;
}

/** Two people register, one creates a task and shares it, and the other one finds it in the inbox. */
async function untilNotified(edge: string): Promise<Person[]> {
  const [owner, other] = (await Promise.all([Person.register(edge, "Owner"), Person.register(edge, "Other")])) as [
    Person,
    Person,
  ];
  const { taskId } = await owner.ask("POST /v1/tasks", { title: "Send the quarterly figures to the board" });
  await owner.ask(`POST /v1/tasks/${taskId}:share`, { userId: other.userId, role: "ROLE_COMMENTER" });
  await until(
    "the notification of the first task",
    async () => {
      const { notifications = [] } = await other.ask("GET /v1/notifications");
      return notifications.some((notification: { taskId: string }) => notification.taskId === taskId);
    },
    { everyMs: 20 },
  );
  // The load is the owner's alone: all tasks in its lists are then its own.
  return [owner];
}

async function oneRound(stage: Stage, phase: Phase, title: string, hasJaeger: boolean): Promise<Round> {
  await using part = stage.part();
  const { mesh, people, starts } = await startBoth(part, title);
  if (hasJaeger) await until("Jaeger to be there", async () => (await fetch(`${mesh.jaeger}/api/services`)).ok);
  const bare = await part.start("Starting a bare fastify process", () => startPeer("bare.mjs"));
  if (!(await fetch(bare.url)).ok) throw new Error("the bare process does not answer");
  await during("Letting both come to rest", new Promise((resolve) => setTimeout(resolve, idleMs)));
  const weigh = async (): Promise<Weight> => ({ mesh: await memoryOf(mesh), bare: await memoryOfFamily(bare.pid) });
  const idle = await weigh();

  const clients = [mesh.edge, bare.url].map((url) => new HttpClient(new URL(url), connections));
  const [ours, peer] = clients as [HttpClient, HttpClient];
  try {
    const calls = await MixedCalls.prepare(ours, people);
    // Code that has never run is no match for a rate.
    await keepFull((index) => calls.send(ours, index), warmUpSeconds);
    const loads = Promise.all([offer(ours, calls, phase), offerBare(peer, phase)]);
    const [{ p99 }] = await during(`Putting ${phase.seconds} s of load on both`, loads);
    const loaded = await weigh();
    progress(`P12 ${title}: idle ratio ${ratioAt(idle).toFixed(3)}, under load ${ratioAt(loaded).toFixed(3)}`);
    return { starts, idle, loaded, p99 };
  } finally {
    for (const client of clients) client.close();
  }
}

async function offerBare(client: HttpClient, phase: Phase): Promise<void> {
  const send = async () => {
    const answer = await client.call({ method: "GET", path: "/" }).catch(() => undefined);
    return answer?.status === 200 ? undefined : "the bare process";
  };
  outcomeOf(await openLoop({ phases: [phase], send }));
}

function ratioAt({ mesh, bare }: Weight): number {
  return footprint(mesh.processes, bare);
}

function findingOf(rounds: Round[], effort: Effort, hasJaeger: boolean): Finding {
  const memory = (name: string, state: "idle" | "loaded") => {
    const ratios = rounds.map((round) => ratioAt(round[state]));
    const { mesh, bare } = middle(rounds)[state];
    const ours = `${mebibytes(sumOf(mesh.processes, "resident"))} resident in ${mesh.processes.length} processes`;
    const peer = `${mebibytes(bare.resident * mesh.processes.length)} resident in as many of ${mebibytes(bare.resident)}`;
    return { name, ours, peer, ratios, ...middleOf(ratios), goal: { atMost: 1.5 } };
  };
  const ratios = rounds.map(({ starts }) => starts.useful / starts.kafka);
  const { useful, ready, kafka: alone } = middle(rounds).starts;
  const start = {
    name: "start",
    ours: `${inSeconds(useful)} from \`up\` until the notification had come; ready after ${inSeconds(ready)}`,
    peer: `${inSeconds(alone)} from nothing until Kafka alone answers, its new data folder formatted`,
    ratios,
    ...middleOf(ratios),
    goal: { atMost: 2 },
  };
  const figures = [
    memory("memory, idle", "idle"),
    memory(`memory, after ${effort.seconds} s of load`, "loaded"),
    start,
  ];
  return { figures, notes: notesOf(rounds, effort, hasJaeger), details: { rounds } };
}

function notesOf(rounds: Round[], effort: Effort, hasJaeger: boolean): string[] {
  const { idle, loaded, p99 } = middle(rounds);
  const shares = ({ mesh }: Weight) => mebibytes(sumOf(mesh.processes, "share"));
  const all = ({ mesh }: Weight) => sumOf([...mesh.processes, ...mesh.parts], "share");
  const largest = Math.max(...loaded.mesh.processes.map(({ resident }) => resident));
  const list = (memories: Memory[], kind: "resident" | "share") =>
    memories.map((memory) => `${memory.name} ${Math.round(memory[kind] / 2 ** 20)}`).join(", ");
  const seconds = quantile(
    rounds.map(({ starts }) => starts.useful),
    0.5,
  );
  return [
    `started as \`npm start\` does; ${hasJaeger ? "every request is traced to Jaeger" : "there is no Jaeger, so nothing is traced"}`,
    `load: ${openLoad(effort)} on the mesh (p99 ${p99.toFixed(1)} ms), and as many of its one call on the bare process`,
    `${inSeconds(seconds)} from \`up\` to a notification (goal at most 10 s, ${seconds <= 10 ? "kept" : "missed"})`,
    `shares of our processes, pages that several hold counted once: ${shares(idle)} idle, ${shares(loaded)} under load`,
    `resident under load, MiB: ${list(loaded.mesh.processes, "resident")} (goal at most 130 each, ${largest <= mostOfOne ? "kept" : "missed"})`,
    `the whole stack: ${mebibytes(all(idle))} idle, ${mebibytes(all(loaded))} under load (goal at most 1.6 GiB, ${all(loaded) <= mostOfAll ? "kept" : "missed"})`,
    `parts under load, MiB: ${list(loaded.mesh.parts, "share")}`,
  ];
}

/** The round whose start took neither longest nor shortest. */
function middle(rounds: Round[]): Round {
  const sorted = [...rounds].sort((one, other) => one.starts.useful - other.starts.useful);
  return sorted[Math.floor(sorted.length / 2)] as Round;
}

function inSeconds(seconds: number): string {
  return `${seconds.toFixed(1)} s`;
}
