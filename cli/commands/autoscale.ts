import { resolve } from "node:path";
import { Argument, type Command, InvalidArgumentError } from "commander";
import type { AutoscaleAnswer, AutoscaleRequest } from "../runner/autoscale/action.ts";
import { askMesh } from "../runner/control.ts";
import { findHome } from "../runner/home.ts";
import { printJson, progressLine, table } from "./output.ts";

interface AutoscaleOptions {
  path?: string;
  scaleMin?: number;
  dryRun?: boolean;
  json?: boolean;
}

/** `mesh autoscale`, with its options. */
export function addAutoscale(mesh: Command): void {
  mesh
    .command("autoscale")
    .description("follow what a cluster's HorizontalPodAutoscalers and ScaledObjects say about the number of instances")
    .addArgument(new Argument("<wish>").choices(["on", "off", "status"]))
    .option(
      "--path <file>",
      "the file or folder that says it, with the Deployments; deploy/kubernetes/base unless given",
    )
    .option("--scale-min <count>", "at least so many of each, where the files ask for more", least)
    .option("--dry-run", "print what it would do, and change nothing")
    .option("--json", "print JSON for programs")
    .action(autoscale);
}

/** `mesh autoscale on|off|status`: follow what the cluster's HorizontalPodAutoscalers and ScaledObjects say. */
async function autoscale(wish: AutoscaleRequest["do"], options: AutoscaleOptions): Promise<void> {
  const { status, preview } = await askMesh<AutoscaleAnswer>(
    findHome(),
    { command: "autoscale", request: wish === "on" ? requestOf(options) : { do: wish } },
    progressLine,
  );
  if (options.json) {
    printJson(preview ?? status);
    return;
  }
  if (preview !== undefined) {
    const rows = preview.map(({ process, from, to, reason }) => [process, `${from} → ${to}`, reason]);
    process.stdout.write(`${table(["PROCESS", "REPLICAS", "BECAUSE"], rows)}\n`);
    return;
  }
  process.stdout.write(`${status.on ? textOf(status) : "Autoscaling is off"}\n`);
}

function requestOf({ path, scaleMin, dryRun }: AutoscaleOptions): AutoscaleRequest {
  return {
    do: "on",
    // The runner works in another folder.
    ...(path !== undefined && { path: resolve(path) }),
    ...(scaleMin !== undefined && { scaleMin }),
    ...(dryRun && { dryRun }),
  };
}

function textOf({ path, processes, changes }: AutoscaleAnswer["status"]): string {
  const rows = processes.map(({ process: name, replicas, min, max, latest, fault }) => [
    name,
    String(replicas),
    `${min}–${max}`,
    fault ?? latest?.reason ?? "not looked at yet",
  ]);
  const lines = changes
    .slice(-10)
    .map(({ at, process: name, from, to, reason }) => `${at}  ${name} ${from} → ${to}: ${reason}`);
  return [
    `Following ${path}`,
    "",
    table(["PROCESS", "NOW", "RANGE", "LATEST"], rows),
    ...(lines.length > 0 ? ["", ...lines] : []),
  ].join("\n");
}

function least(text: string): number {
  if (!/^[1-9]\d*$/.test(text)) throw new InvalidArgumentError("It must be 1 or more.");
  return Number(text);
}
