import type { Command } from "commander";
import { NotificationService } from "#gen/notification/v1/notification_service_pb.js";
import {
  deadLetterCells,
  deadLetterHeading,
  placeText,
  type ShownDeadLetter,
  showDeadLetter,
} from "../events/show-dead-letter.ts";
import { decodeEvent } from "../events/show-event.ts";
import { asOperator } from "../operator.ts";
import { UserError } from "../user-error.ts";
import { discard, redrive } from "./dlq-deeds.ts";
import { printJson, progressLine, table } from "./output.ts";
import { whole } from "./quantities.ts";

const json = ["--json", "print JSON for programs"] as const;
const type = ["--type <fact>", "of this fact: task.v1.TaskCreated"] as const;
const reason = ["--reason <reason>", "given up for this reason: tries_exhausted, undecodable, refused"] as const;
const perPage = 500;

/** `mesh dlq …`: the events that a consumer group gave up, and how they are sent back to it. */
export function addDlq(mesh: Command): void {
  const dlq = mesh.command("dlq").description("the events that consumer groups gave up, and sending them back");
  dlq
    .command("list [group]")
    .description("the dead letters that wait, those that were given up last first")
    .option(...type)
    .option(...reason)
    .option("--redriven", "those that were sent back, too")
    .option("-n, --limit <count>", "at most so many", whole, 50)
    .option(...json)
    .action(list);
  dlq
    .command("show <id>")
    .description("one dead letter with its event")
    .option("--content", "with what people wrote: titles, names, excerpts")
    .option(...json)
    .action(show);
  const deed = (name: string, text: string) =>
    dlq
      .command(`${name} <group>`)
      .description(text)
      .option("--id <id>", "this one; may be given several times", (id: string, ids: string[] = []) => [...ids, id])
      .option("--all", "all that wait")
      .option(...type)
      .option(...reason)
      .option("-n, --limit <count>", "at most so many", whole, 1000)
      .option("--dry-run", "only tell which")
      .option(...json);
  const once = "each has its effect once, however often it is sent";
  deed("redrive", `send dead letters back to their group; ${once}`).action(redrive);
  deed("discard", "forget dead letters whose events nobody needs any more").action(discard);
}

interface ListOptions {
  type?: string;
  reason?: string;
  redriven?: boolean;
  limit: number;
  json?: boolean;
}

async function list(group: string | undefined, { limit, ...options }: ListOptions): Promise<void> {
  const filter = {
    group,
    eventType: options.type,
    reason: options.reason,
    includeRedriven: options.redriven ?? false,
  };
  const letters = await asOperator(NotificationService, async (notification) => {
    const found: ShownDeadLetter[] = [];
    for (let pageToken = ""; found.length < limit; ) {
      const pageSize = Math.min(limit - found.length, perPage);
      const page = await notification.listDeadLetters({ ...filter, pageSize, pageToken });
      found.push(...page.deadLetters.map(showDeadLetter));
      pageToken = page.nextPageToken;
      if (pageToken === "") return { found, more: false };
    }
    return { found, more: true };
  });
  if (options.json) return printJson({ deadLetters: letters.found, more: letters.more });
  if (letters.found.length === 0) process.stdout.write("No dead letters\n");
  else process.stdout.write(`${table(deadLetterHeading, letters.found.map(deadLetterCells))}\n`);
  if (letters.more) progressLine(`There are more: --limit ${limit * 10} shows more of them`);
}

async function show(id: string, { content = false, json: asJson }: { content?: boolean; json?: boolean }) {
  const [letter] = await asOperator(NotificationService, async (notification) => {
    const which = { deadLetterIds: [id], includeRedriven: true, includePayload: true };
    return (await notification.listDeadLetters(which)).deadLetters;
  });
  if (letter === undefined) throw new UserError(`There is no dead letter ${id}: see \`npx mesh dlq list --redriven\``);
  const shown = { ...showDeadLetter(letter), event: decodeEvent(letter.eventType, letter.payload, content) ?? null };
  if (asJson) return printJson(shown);
  const { event, place, origin, ...plain } = shown;
  const lines = Object.entries({ ...plain, place: placeText(place), origin: placeText(origin) });
  process.stdout.write(
    `${table(
      ["FIELD", "VALUE"],
      lines.map(([name, value]) => [name, String(value ?? "-")]),
    )}\n`,
  );
  process.stdout.write(`\n${JSON.stringify(event, undefined, 2)}\n`);
}
