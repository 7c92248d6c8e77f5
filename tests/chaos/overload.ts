import { loadavg } from "node:os";
import { setTimeout as delay } from "node:timers/promises";
import type { Answer, Call } from "../../cli/load/http.ts";
import { openLoop } from "../../cli/load/open-loop.ts";
import { until } from "../_util/until.ts";
import { quantileMs, type Sample, statusesOf } from "./away/load.ts";
import { endedBetween, type Finding, type Size, type Stage } from "./away/stage.ts";
import { LeanHttpClient } from "./lean-http.ts";

const ramp = [8, 16, 32];
const rampSeconds = 5;
/** Not measured: code that runs for the first time is slow, and a peak that is too low would flatter. */
const warmUpSeconds = 5;
const times = 3;
const units = ["gateway", "task", "auth", "user", "notification"];
/** R12 of the goals. */
const goals = { goodput: 0.9, acceptedMs: 200, rejectedMs: 10, recoveredMs: 2_000, heap: 1.5 };

/** Offers three times what the mesh can do: it goes on doing that much, refuses the rest at once, and is well again soon. */
export async function overload(stage: Stage, { seconds, patienceMs = 60_000 }: Size): Promise<Finding> {
  const [ann] = await stage.people("Ann");
  const client = new LeanHttpClient(new URL(stage.mesh.edge));
  const { taskId } = await ann.ask("POST /v1/tasks", { title: "to be read" });
  const calls = new Calls(client, ann.token, taskId);
  const ended = await stage.restarts();
  try {
    const behind = async () =>
      (await stage.metric("consumers", "taskmesh_consumer_lag")) + (await stage.metric("task", "taskmesh_outbox_lag"));
    const consumed = () =>
      until("the events to be consumed", async () => (await behind()) === 0, { timeoutMs: patienceMs });
    await rightOf(calls, { callers: 16, seconds: warmUpSeconds, kindOf: mixed }, consumed);
    const peaks = { write: 0, import: 0, read: 0 };
    for (const kind of Object.keys(peaks) as Kind[]) peaks[kind] = await capacityOf(calls, kind, consumed);
    // Of a second, a call of a kind takes as much as it is of what could be done of that kind alone.
    const peak = kinds.length / sum(kinds.map((kind) => 1 / peaks[kind]));
    const heaps = await heapsOf(stage);
    const most = watchHeaps(stage, heaps);
    const offered = Math.ceil(peak * times);
    calls.samples.length = 0;
    const result = await openLoop({
      phases: [{ rate: offered, seconds }],
      send: (index) => calls.send(mixed(index)),
      mostUnderWay: offered * 10,
    });
    const during = calls.samples.splice(0);
    const recoveredMs = await recovery(calls, patienceMs);
    const heap = await most();

    const accepted = during.filter(({ status }) => status === 200);
    const shed = during.filter(({ status }) => status === 429 || status === 503);
    const goodput = sum(accepted.map(({ kind }) => 1 / peaks[kind])) / seconds;
    const p99 = quantileMs(accepted, 0.99);
    const rejectedMs = quantileMs(shed, 0.5);
    const violations = [
      ...below("goodput, share of the peak", goodput, goals.goodput),
      ...above("p99 of what was taken, ms", p99, goals.acceptedMs),
      ...above("median of refusals, ms", rejectedMs, goals.rejectedMs),
      ...above("until it is well again, ms", recoveredMs, goals.recoveredMs),
      ...above("heap, times what it was", heap, goals.heap),
      ...endedBetween(ended, await stage.restarts()).map((name) => `${name} ended by itself`),
    ];
    const mute = shed.filter(({ retryAfter }) => retryAfter !== true);
    if (mute.length > 0) violations.push(`${mute.length} refusals do not say when to come back`);
    const others = during.filter((sample) => sample.status !== 200 && !shed.includes(sample));
    if (others.length > 0) violations.push(`failures that are no refusals: ${statusesOf(others)}`);
    return {
      figures: {
        "load of the machine": loadavg()[0]?.toFixed(1) ?? "",
        "capacity: reads, changes, imports a second": [peaks.read, peaks.write, peaks.import]
          .map(Math.round)
          .join(", "),
        "capacity as mixed, answers a second": Math.round(peak),
        "offered, calls a second": offered,
        "sent in time": result.rateKept ? "yes" : `no, p99 ${Math.round(result.lateness.p99)} ms late`,
        "goodput, share of the capacity": goodput.toFixed(2),
        "p50/p99 of what was taken, ms": `${quantileMs(accepted, 0.5)}/${p99}`,
        "p50/p99 of refusals, ms": `${rejectedMs}/${quantileMs(shed, 0.99)}`,
        "taken: changes, reads, imports": sharesOf(during),
        "until it is well again, ms": Math.round(recoveredMs),
        "heap, times what it was": heap.toFixed(2),
        statuses: statusesOf(during),
      },
      violations,
    };
  } finally {
    client.close();
  }
}

type Kind = "write" | "read" | "import";

/** Of ten calls seven read, two create and one imports. */
const kinds: readonly Kind[] = ["read", "write", "read", "read", "import", "read", "write", "read", "read", "read"];

const mixed = (index: number) => kinds[index % kinds.length] as Kind;
const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0);

interface KnownSample extends Sample {
  kind: Kind;
}

class Calls {
  readonly samples: KnownSample[] = [];
  readonly #client: LeanHttpClient;
  readonly #made: Record<Kind, Call>;

  constructor(client: LeanHttpClient, token: string, taskId: string) {
    this.#client = client;
    const content = Buffer.from("TYPE,CONTENT,PRIORITY\ntask,Buy milk,1\n").toString("base64");
    const body = { format: "FORMAT_TODOIST_CSV", content, timeZone: "UTC", dryRun: true };
    this.#made = {
      read: { method: "GET", path: `/v1/tasks/${taskId}`, token },
      write: { method: "POST", path: "/v1/tasks", token, body: { title: "under load" } },
      import: { method: "POST", path: "/v1/tasks:import", token, body },
    };
  }

  /** One call; undefined when it was answered with what was asked for. */
  async send(kind: Kind): Promise<string | undefined> {
    const at = performance.now();
    const answer = await this.#client
      .call(this.#made[kind])
      .catch((): Answer => ({ status: 0, body: "", retryAfter: Number.NaN }));
    const sample: KnownSample = { at, ms: performance.now() - at, write: kind !== "read", status: answer.status, kind };
    if (answer.status >= 400) {
      sample.reason = answer.body.match(/"reason":"(\w+)"/)?.[1] ?? "";
      sample.retryAfter = answer.retryAfter >= 1;
    }
    this.samples.push(sample);
    return answer.status === 200 ? undefined : `${answer.status} ${sample.reason ?? ""}`;
  }
}

/** The most right answers of a kind a second that callers get of whom each asks again when it was answered. */
async function capacityOf(calls: Calls, kind: Kind, consumed: () => Promise<unknown>): Promise<number> {
  let most = 0;
  for (const callers of ramp) {
    most = Math.max(most, await rightOf(calls, { callers, seconds: rampSeconds, kindOf: () => kind }, consumed));
  }
  return most;
}

interface Crowd {
  callers: number;
  seconds: number;
  kindOf(index: number): Kind;
}

/** Right answers a second, where a second is also one in which their events are consumed: that is work of theirs. */
async function rightOf(
  calls: Calls,
  { callers, seconds, kindOf }: Crowd,
  consumed: () => Promise<unknown>,
): Promise<number> {
  const begin = performance.now();
  let right = 0;
  const ask = async (first: number) => {
    for (let index = first; performance.now() - begin < seconds * 1000; index += callers) {
      if ((await calls.send(kindOf(index))) === undefined) right += 1;
    }
  };
  await Promise.all(Array.from({ length: callers }, (_, index) => ask(index)));
  await consumed();
  return (right * 1000) / (performance.now() - begin);
}

/** Milliseconds until ten calls in a row are answered well, and each soon. */
async function recovery(calls: Calls, patienceMs: number): Promise<number> {
  const begin = performance.now();
  let inARow = 0;
  let since = begin;
  while (inARow < 10) {
    if (performance.now() - begin > patienceMs) return Number.POSITIVE_INFINITY;
    const at = performance.now();
    const isWell = (await calls.send(mixed(inARow))) === undefined && performance.now() - at < goals.acceptedMs;
    if (isWell && inARow === 0) since = performance.now();
    inARow = isWell ? inARow + 1 : 0;
  }
  return since - begin;
}

type Heaps = Record<string, number>;

async function heapsOf(stage: Stage): Promise<Heaps> {
  const heaps = units.map(async (unit) => [unit, await stage.metric(unit, "v8js_memory_heap_used")] as const);
  return Object.fromEntries(await Promise.all(heaps));
}

/** Looks at the heaps now and then, for a page of metrics is work too, until it is asked for the greatest growth of any of them. */
function watchHeaps(stage: Stage, before: Heaps): () => Promise<number> {
  const looks: Promise<Heaps>[] = [];
  const timer = setInterval(() => looks.push(heapsOf(stage)), 5_000);
  return async () => {
    clearInterval(timer);
    await delay(0);
    const growths = (await Promise.all(looks)).flatMap((heaps) =>
      units.map((unit) => (heaps[unit] ?? 0) / (before[unit] || Number.POSITIVE_INFINITY)),
    );
    return Math.max(0, ...growths);
  };
}

function sharesOf(samples: readonly KnownSample[]): string {
  const shareOf = (kind: Kind) => {
    const ofKind = samples.filter((sample) => sample.kind === kind);
    const taken = ofKind.filter(({ status }) => status === 200).length;
    return `${Math.round((taken / Math.max(1, ofKind.length)) * 100)} %`;
  };
  return `${shareOf("write")}, ${shareOf("read")}, ${shareOf("import")}`;
}

const below = (what: string, value: number, goal: number) =>
  value >= goal ? [] : [`${what}: ${value.toFixed(2)}, at least ${goal} wanted`];
const above = (what: string, value: number, goal: number) =>
  value <= goal ? [] : [`${what}: ${value.toFixed(2)}, at most ${goal} wanted`];
