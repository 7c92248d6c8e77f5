import type { EnvSchema, Reader } from "#kit/env.ts";
import { aliasesOf } from "#kit/env-aliases.ts";
import { environment as stopping } from "#kit/lifecycle.ts";
import { environment as mail } from "../../cli/mail/config.ts";
import { environment as ops } from "../../cli/ops/config.ts";
import { runnerVariables } from "../../cli/runner/settings.ts";
import { publicPorts } from "../../cli/topology.ts";
import { workersEnvironment } from "../../cli/workers/config.ts";
import { environment as consumers } from "../../consumers/config.ts";
import { environment as gateway } from "../../gateway/config.ts";
import { environment as everyProcess } from "../../observability/config.ts";
import { environment as auth } from "../../services/auth/config.ts";
import { environment as notification } from "../../services/notification/config.ts";
import { environment as task } from "../../services/task/config.ts";
import { environment as user } from "../../services/user/config.ts";

/** What every process of ours reads, by its name. */
export const schemas: Record<string, EnvSchema> = {
  "every process": { ...everyProcess, ...stopping },
  auth,
  user,
  task,
  notification,
  gateway,
  consumers,
  mail,
  ops,
  workers: workersEnvironment("workers"),
};

/** The text of .env.example, made from what the processes read. */
export function renderEnvExample(): string {
  const lines = [
    "# Every variable of the environment, made from the configuration of each process by `npm run env:example`.",
    "# `npm start` sets what the processes need; what you set yourself goes before it.",
    "# A process reads each of its variables from the file that <VARIABLE>_FILE names, when that is set instead.",
    "",
    "# The runner (`mesh up`)",
    ...Object.values(publicPorts).flatMap(({ title, variable, port }) => [`# ${title}`, `${variable}=${port}`]),
    ...Object.entries(runnerVariables).flatMap(([variable, meaning]) => [`# ${meaning}`, `# ${variable}=`]),
  ];
  for (const [variable, { reader, readers }] of [...variables()].sort(([a], [b]) => a.localeCompare(b))) {
    lines.push("", `# ${reader.expects}; read by ${readers.join(", ")}${isRequired(reader) ? "; required" : ""}`);
    const others = aliasesOf(variable);
    if (others.length > 0) lines.push(`# also taken from, in this order: ${others.join(", ")}`);
    lines.push(`# ${variable}=${defaultText(reader)}`);
  }
  return `${lines.join("\n")}\n`;
}

function variables(): Map<string, { reader: Reader<unknown>; readers: string[] }> {
  const found = new Map<string, { reader: Reader<unknown>; readers: string[] }>();
  for (const [process, schema] of Object.entries(schemas)) {
    for (const reader of Object.values(schema)) {
      const known = found.get(reader.variable);
      if (known === undefined) found.set(reader.variable, { reader, readers: [process] });
      else if (!known.readers.includes("every process")) known.readers.push(process);
    }
  }
  return found;
}

const isRequired = ({ fallback, optional }: Reader<unknown>): boolean => fallback === undefined && !optional;

function defaultText({ fallback, variable }: Reader<unknown>): string {
  if (fallback === undefined || variable === "SERVICE_INSTANCE_ID") return "";
  return Array.isArray(fallback) ? fallback.join(",") : String(fallback);
}
