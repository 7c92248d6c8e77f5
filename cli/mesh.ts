import { Command, CommanderError, InvalidArgumentError, Option } from "commander";
import manifest from "../package.json" with { type: "json" };
import { addAutoscale } from "./commands/autoscale.ts";
import { addDlq } from "./commands/dlq.ts";
import { doctor } from "./commands/doctor.ts";
import { down } from "./commands/down.ts";
import { addEvents } from "./commands/events.ts";
import { addFault } from "./commands/fault.ts";
import { addLoad } from "./commands/load.ts";
import { logs } from "./commands/logs.ts";
import { addOps } from "./commands/ops.ts";
import { ps } from "./commands/ps.ts";
import { addPushKeys } from "./commands/push-keys.ts";
import { addRelease } from "./commands/release.ts";
import { scale } from "./commands/scale.ts";
import { tier } from "./commands/tier.ts";
import { addTop } from "./commands/top.ts";
import { trace } from "./commands/trace.ts";
import { up } from "./commands/up.ts";
import { logLevels } from "./logs/filter.ts";
import { profiles } from "./topology.ts";
import { UserError } from "./user-error.ts";

const json = ["--json", "print JSON for programs"] as const;

function program(): Command {
  const mesh = new Command("mesh").description("Runs Taskmesh and looks after it.").version(manifest.version);
  mesh
    .command("up")
    .description("start everything and run until Ctrl-C")
    .option("-p, --profile <name>", `how many of each: ${profiles.join(", ")}`)
    .option("-d, --detach", "return once it is ready, and leave it running")
    .option("--autoscale", "follow the cluster's autoscaling files from the start, as `mesh autoscale on` does")
    .option("--prometheus", "with Prometheus, also in a small profile")
    .option("--faults", "with what `mesh fault` needs to come between the processes and the parts")
    .option(...json)
    .action(up);
  mesh
    .command("down")
    .description("stop everything, in order")
    .option(...json)
    .action(down);
  mesh
    .command("ps")
    .description("what runs, with memory and ports")
    .option(...json)
    .action(ps);
  mesh
    .command("logs [services...]")
    .description("the last lines of the logs, of all or of the named services")
    .option("-f, --follow", "go on with what is added")
    .option("-n, --lines <count>", "how many lines of each", wholeNumber, 20)
    .option("-e, --errors", "errors only, out of the logs that are kept of them")
    .addOption(new Option("-l, --level <least>", "our processes' lines of this level and above").choices(logLevels))
    .option("-t, --trace <id>", "our processes' lines of one trace; its first digits will do")
    .option("-u, --user <id>", "our processes' lines of one user's calls")
    .option(...json)
    .action(logs);
  mesh
    .command("scale <targets...>")
    .description("set the number of instances: consumers=3 task=2; all=4 is every service")
    .option(...json)
    .action(scale);
  mesh
    .command("doctor")
    .description("what ails this machine or the running mesh, and what to do about it")
    .option(...json)
    .action(doctor);
  mesh
    .command("migrate [services...]")
    .description("bring the schemas of the databases up to date, before a release; services do it when they start, too")
    .option("--dry-run", "only say what there is to do")
    .option(...json)
    // The runner, which is this program too, is not to hold the whole kit of databases in memory.
    .action(async (services, options) => (await import("./commands/migrate.ts")).migrate(services, options));
  mesh
    .command("trace <id>")
    .description("the way of one request, with the time of each hop; `last` for the newest")
    .option(...json)
    .action(trace);
  mesh
    .command("tier <address> <tier>")
    .description("which limits an account has: standard or premium")
    .option(...json)
    .action(tier);
  addAutoscale(mesh);
  addFault(mesh);
  addEvents(mesh);
  addDlq(mesh);
  addPushKeys(mesh);
  addOps(mesh);
  addTop(mesh);
  addRelease(mesh);
  addLoad(mesh);
  return mesh;
}

function wholeNumber(text: string): number {
  if (!/^\d+$/.test(text)) throw new InvalidArgumentError("It must be a whole number.");
  return Number(text);
}

// A pipe that is closed early (`mesh logs | head`) is no fault; a running mesh goes on without its reader.
for (const stream of [process.stdout, process.stderr]) {
  stream.on("error", () => {
    if (process.argv[2] !== "up") process.exit(0);
  });
}

try {
  await program().parseAsync();
} catch (error) {
  if (error instanceof CommanderError) process.exit(error.exitCode);
  if (!(error instanceof UserError)) throw error;
  process.stderr.write(`${error.message}\n`);
  process.exit(1);
}
