import { type Command, InvalidArgumentError } from "commander";
import { readSince } from "../events/since.ts";
import { askMesh } from "../runner/control.ts";
import { findHome } from "../runner/home.ts";
import type { MeshStatus } from "../runner/status.ts";
import { messageOf, UserError } from "../user-error.ts";
import { progressLine } from "./output.ts";

interface TailOptions {
  since?: string;
  limit?: number;
  content?: boolean;
}

export function addEvents(mesh: Command): void {
  mesh
    .command("events")
    .description("the events of the mesh")
    .command("tail [topics...]")
    .description("events as they are written, one JSON object a line, until Ctrl-C; of all topics unless named")
    .option("--since <time>", "from then on: 30s, 10m, 2h, 1d ago, or a moment like 2026-11-21T10:00:00Z")
    .option("--limit <count>", "end after so many", positive)
    .option("--content", "with what people wrote: titles, names, excerpts")
    .action(tail);
}

/** `mesh events tail`: what goes over Kafka, decoded. */
async function tail(names: readonly string[], { since, limit, content = false }: TailOptions): Promise<void> {
  const [{ topics: known }, { tailTopics }, { showEvent }] = await Promise.all([
    import("#kit/events/topics.ts"),
    import("#kit/events/tail.ts"),
    import("../events/show-event.ts"),
  ]);
  const wanted = names.length > 0 ? [...names] : Object.values<string>(known);
  const odd = wanted.find((name) => !/^[\w.-]{1,249}$/.test(name));
  if (odd !== undefined) throw new UserError(`"${odd}" is no topic: take one of ${Object.values(known).join(", ")}`);
  const ended = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => ended.abort());
  let seen = 0;
  const options = {
    brokers: await findBrokers(),
    topics: wanted,
    ...(since !== undefined && { since: readSince(since) }),
    signal: ended.signal,
    onFollowing: () => progressLine(`Following ${wanted.join(", ")}; Ctrl-C ends`),
  };
  await tailTopics({
    ...options,
    see: (record) => {
      if (limit !== undefined && seen >= limit) return;
      process.stdout.write(`${JSON.stringify(showEvent(record, content))}\n`);
      if (++seen === limit) ended.abort();
    },
  }).catch((error: unknown) => {
    throw new UserError(
      `Kafka cannot be followed (${messageOf(error)}): see \`npx mesh ps\` and the names of the topics`,
    );
  });
}

/** The brokers of KAFKA_BROKERS, else those of the mesh that runs here. */
async function findBrokers(): Promise<string[]> {
  if (process.env.KAFKA_BROKERS) return process.env.KAFKA_BROKERS.split(",");
  const { instances } = await askMesh<MeshStatus>(findHome(), { command: "ps" });
  const port = instances.find(({ name }) => name === "kafka")?.ports.broker;
  if (port === undefined) throw new UserError("This mesh runs no Kafka of its own: name the brokers in KAFKA_BROKERS");
  return [`127.0.0.1:${port}`];
}

function positive(text: string): number {
  if (!/^[1-9]\d{0,8}$/.test(text)) throw new InvalidArgumentError("It must be a whole number above 0.");
  return Number(text);
}
