// One process of ours by its name, as the runner starts it; with WORKERS=4 four of them behind the same ports.
import { ConfigError } from "#kit/env.ts";
import { type ProcessName, processes, processNames } from "../topology.ts";
import { messageOf } from "../user-error.ts";
import { readWorkersConfig } from "./config.ts";
import { Workers } from "./workers.ts";

const name = process.argv[2] as ProcessName;
try {
  const row = processes[name];
  if (row === undefined) throw new Error(`there is no process of that name: it is one of ${processNames.join(", ")}`);
  const workers = new Workers(row, readWorkersConfig(name));
  process.on("SIGTERM", () => workers.stop());
  process.on("SIGINT", () => workers.stop());
  process.exitCode = await workers.run();
} catch (error) {
  const lines = error instanceof ConfigError ? error.message.split("\n") : [messageOf(error)];
  process.stderr.write(lines.map((line) => `${name ?? "workers"} cannot start: ${line}\n`).join(""));
  process.exitCode = 1;
}
