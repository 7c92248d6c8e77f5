import { type Command, Option } from "commander";
import { askMesh } from "../runner/control.ts";
import type { ActiveFault, Fault, FaultList, FaultRequest } from "../runner/fault/fault.ts";
import { grpcStatusOf } from "../runner/fault/grpc-status.ts";
import { scheduledKinds } from "../runner/fault/schedule.ts";
import type { Toxics } from "../runner/fault/toxics.ts";
import { findHome } from "../runner/home.ts";
import { UserError } from "../user-error.ts";
import { runSchedule } from "./fault-schedule.ts";
import { printJson, span, table } from "./output.ts";
import { milliseconds, percent, someOf, whole } from "./quantities.ts";

interface Common {
  for?: number;
  json?: boolean;
}

/** `mesh fault …`: brings faults into the running mesh, lists them and ends them. Each ends by itself in at most 10 minutes. */
export function addFault(mesh: Command): void {
  const fault = mesh.command("fault").description("break something on purpose, for a while");
  const add = (name: string, text: string) =>
    fault
      .command(name)
      .description(text)
      .option("-f, --for <time>", "how long: 500ms, 30s, 2m", milliseconds)
      .option("--json", "print JSON for programs");
  const target = "<target>";
  add(
    `kill ${target}`,
    "end an instance (task-1), a unit (task) or a part (redis) with SIGKILL; with --for it stays away that long",
  ).action((name: string, options: Common) => begin({ kind: "kill", target: name }, options));
  add(`pause ${target}`, "halt it with SIGSTOP, then let it go on").action((name: string, options: Common) =>
    begin({ kind: "pause", target: name }, options),
  );
  add(`cut ${target}`, "refuse connections to it")
    .option("--blackhole", "take connections and answer nothing instead")
    .action((name: string, { blackhole, ...options }: Common & { blackhole?: boolean }) =>
      begin({ kind: "cut", target: name, how: blackhole ? "blackhole" : "refuse" }, options),
    );
  add(`slow ${target}`, "make its connections bad; 200 ms late unless told otherwise")
    .option("--latency <time>", "how late data are, in each direction", milliseconds)
    .option("--jitter <time>", "by how much more or less", milliseconds)
    .option("--bandwidth <bytes>", "bytes a second, of each connection", whole)
    .option("--resets <percent>", "connections that are reset within a second", percent)
    .option("--slow-close <time>", "how late the end of a connection is", milliseconds)
    .action((name: string, options: Common & Slow) =>
      begin({ kind: "slow", target: name, toxics: toxicsOf(options) }, options),
    );
  add("rpc <rpc>", "have Envoy abort or delay calls of one RPC: task.v1.TaskService/CreateTask")
    .option("--abort <status>", "answer with a status of gRPC (UNAVAILABLE) or of HTTP (503)")
    .option("--percent <percent>", "of the calls", percent, 1)
    .option("--delay <time>", "how late they are", milliseconds)
    .action((name: string, options: Common & { abort?: string; percent: number; delay?: number }) =>
      begin(rpcFault(name, options), options),
    );
  add("consumer <group>", "have a consumer group fail a share of its events, or be late with them: email")
    .option("--fail <percent>", "tries that fail", percent)
    .option("--delay <time>", "how late each try is", milliseconds)
    .action((name: string, options: Common & { fail?: number; delay?: number }) =>
      begin(consumerFault(name, options), options),
    );
  add("schedule", "one fault after the other, drawn from a seed: the same seed gives the same faults")
    .option("--seed <number>", "a new one unless given", whole)
    .option("--every <time>", "from one to the next", milliseconds, 3000)
    .addOption(new Option("--only <kinds>", `some of ${scheduledKinds.join(",")}`).argParser(kinds))
    .action(runSchedule);
  add("list", "what is broken now").action(list);
  add("heal [id]", "end all of it, or one").action(heal);
}

function ask<T>(request: FaultRequest): Promise<T> {
  return askMesh<T>(findHome(), { command: "fault", request });
}

async function begin(fault: Fault, { for: forMs, json }: Common): Promise<void> {
  const active = await ask<ActiveFault>({ do: "begin", fault, forMs });
  if (json) printJson(active);
  else process.stdout.write(`${active.text}${active.endsInMs > 0 ? `, for ${span(active.endsInMs)}` : ""}\n`);
}

async function list(options: Common): Promise<void> {
  const answer = await ask<FaultList>({ do: "list" });
  if (options.json) printJson(answer);
  else if (answer.active.length === 0) process.stdout.write("Nothing is broken on purpose\n");
  else {
    const rows = answer.active.map(({ id, text, endsInMs }) => [String(id), span(endsInMs), text]);
    process.stdout.write(`${table(["ID", "ENDS IN", "FAULT"], rows)}\n`);
  }
}

async function heal(id: string | undefined, options: Common): Promise<void> {
  if (id !== undefined && !/^\d{1,9}$/.test(id))
    throw new UserError(`"${id}" is no fault: take a number of \`mesh fault list\``);
  const answer = await ask<{ healed: number }>({ do: "heal", id: id === undefined ? undefined : Number(id) });
  if (options.json) printJson(answer);
  else process.stdout.write(`${answer.healed === 1 ? "1 fault has" : `${answer.healed} faults have`} been ended\n`);
}

interface Slow {
  latency?: number;
  jitter?: number;
  bandwidth?: number;
  resets?: number;
  slowClose?: number;
}

function toxicsOf({ latency, jitter, bandwidth, resets, slowClose }: Slow): Omit<Toxics, "cut"> {
  const given = {
    latencyMs: latency,
    jitterMs: jitter,
    bytesPerSecond: bandwidth,
    resetShare: resets,
    slowCloseMs: slowClose,
  };
  const toxics = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
  return Object.keys(toxics).length > 0 ? toxics : { latencyMs: 200 };
}

function rpcFault(
  target: string,
  { abort, percent, delay }: { abort?: string; percent: number; delay?: number },
): Fault {
  if (abort === undefined && delay === undefined)
    throw new UserError("Say what is to happen: --abort UNAVAILABLE, --delay 200ms, or both");
  const grpcStatus = abort === undefined ? undefined : grpcStatusOf(abort);
  return { kind: "rpc", target, grpcStatus, percent: Math.round(percent * 100), delayMs: delay };
}

function consumerFault(target: string, { fail, delay }: { fail?: number; delay?: number }): Fault {
  if (fail === undefined && delay === undefined)
    throw new UserError("Say what is to happen: --fail 20%, --delay 1s, or both");
  return { kind: "consumer", target, failShare: fail, delayMs: delay };
}

function kinds(text: string) {
  return someOf(text, scheduledKinds);
}
