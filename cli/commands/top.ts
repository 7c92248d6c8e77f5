import { setTimeout as sleep } from "node:timers/promises";
import type { Command } from "commander";
import { fetchPicture, findOps, type OpsAddress, watchPictures } from "../ops/client.ts";
import type { Picture } from "../ops/picture.ts";
import { inkFor } from "../top/ink.ts";
import { pictureLines } from "../top/picture-lines.ts";
import { Screen } from "../top/screen.ts";
import { messageOf, UserError } from "../user-error.ts";
import { printJson } from "./output.ts";

interface TopOptions {
  once?: boolean;
  json?: boolean;
}

export function addTop(mesh: Command): void {
  mesh
    .command("top")
    .description("a live picture of every hop: rate, errors, latency, lag, who owns what; q ends it")
    .option("--once", "print one picture and end")
    .option("--json", "one object a second for programs, or one with --once")
    .action(top);
}

/** `mesh top`: the picture of the ops server in this terminal. */
async function top({ once, json }: TopOptions): Promise<void> {
  const ops = await findOps();
  if (once) return printOnce(await fetchPicture(ops), json);
  if (json) return printEach(ops);
  if (!process.stdout.isTTY) throw new UserError("This is no terminal: take --once for one picture, or --json");
  await showLive(ops);
}

function printOnce(picture: Picture, json?: boolean): void {
  if (json) printJson(picture);
  else process.stdout.write(`${linesOf(picture, process.stdout.columns || 100).join("\n")}\n`);
}

async function printEach(ops: OpsAddress): Promise<void> {
  const ended = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => ended.abort());
  await untilAborted(ended.signal, async () => {
    for await (const picture of watchPictures(ops, ended.signal)) process.stdout.write(`${JSON.stringify(picture)}\n`);
    throw new UserError("The mesh has ended");
  });
}

async function showLive(ops: OpsAddress): Promise<void> {
  const ended = new AbortController();
  let latest: Picture | undefined;
  let fault = "";
  const draw = () => {
    const lines = latest === undefined ? ["taskmesh: looking …"] : linesOf(latest, screen.width);
    screen.show(fault === "" ? lines : [fault, ...lines]);
  };
  const screen = new Screen(process.stdout, process.stdin, { quit: () => ended.abort(), resized: draw });
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.once(signal, () => ended.abort());
  screen.open();
  try {
    draw();
    while (!ended.signal.aborted) {
      await untilAborted(ended.signal, async () => {
        for await (const picture of watchPictures(ops, ended.signal)) {
          [latest, fault] = [picture, ""];
          draw();
        }
      }).catch((error: unknown) => {
        fault = messageOf(error);
      });
      if (ended.signal.aborted) break;
      fault ||= "The mesh has ended, or starts again; q ends this";
      draw();
      await sleep(1000, undefined, { signal: ended.signal }).catch(() => {});
    }
  } finally {
    screen.close();
  }
}

/** A stream that breaks because it was ended is no fault. */
async function untilAborted(signal: AbortSignal, work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    if (!signal.aborted) throw error;
  }
}

function linesOf(picture: Picture, width: number): string[] {
  return pictureLines(picture, { width, ink: inkFor(process.stdout.isTTY === true, process.env) });
}
