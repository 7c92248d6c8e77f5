import { spawn } from "node:child_process";
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import type { Command } from "commander";
import { findOps, ticketLink } from "../ops/client.ts";
import { UserError } from "../user-error.ts";
import { printJson } from "./output.ts";

export function addOps(mesh: Command): void {
  mesh
    .command("ops")
    .description("a link to the pages for operators: who calls whom, who owns what, traces")
    .option("--open", "open it in the browser")
    .option("--json", "print JSON for programs")
    .action(ops);
}

/** `mesh ops`: a link that is good once and lets this browser in for a week. */
async function ops({ open, json }: { open?: boolean; json?: boolean }): Promise<void> {
  const link = await ticketLink(await findOps());
  if (open) await openInBrowser(link);
  if (json) printJson({ link });
  else if (!open) process.stdout.write(`${link}\n`);
}

async function openInBrowser(link: string): Promise<void> {
  const [command, args] =
    process.platform === "darwin"
      ? (["open", [link]] as const)
      : process.platform === "win32"
        ? (["explorer", [link]] as const)
        : (["xdg-open", [link]] as const);
  const opener = spawn(command, [...args], { detached: true, stdio: "ignore" });
  const failed = once(opener, "error").then(() => true);
  const ended = once(opener, "exit").then(([code]) => code !== 0 && process.platform !== "win32");
  const isAway = await Promise.race([failed, ended, sleep(2000, false, { ref: false })]);
  opener.unref();
  if (isAway) throw new UserError(`No browser could be opened here: open ${link} yourself, within ten minutes`);
}
