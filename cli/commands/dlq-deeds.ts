import { NotificationService } from "#gen/notification/v1/notification_service_pb.js";
import type { Client } from "#kit/grpc/client.ts";
import {
  deadLetterCells,
  deadLetterHeading,
  type ShownDeadLetter,
  showDeadLetter,
} from "../events/show-dead-letter.ts";
import { asOperator } from "../operator.ts";
import { UserError } from "../user-error.ts";
import { printJson, progressLine, table } from "./output.ts";

export interface DeedOptions {
  id?: string[];
  all?: boolean;
  type?: string;
  reason?: string;
  limit: number;
  dryRun?: boolean;
  json?: boolean;
}

/** What can be done with the dead letters that wait. */
const deeds = {
  redrive: { rpc: "redriveDeadLetters", done: "sent back", json: "redriven" },
  discard: { rpc: "discardDeadLetters", done: "discarded", json: "discarded" },
} as const;
type Deed = (typeof deeds)[keyof typeof deeds];

const atOnce = 100;
const progressMs = 2000;

/** `mesh dlq redrive GROUP`: sends dead letters back to their group, some at a time. */
export const redrive = (group: string, options: DeedOptions) => run(deeds.redrive, group, options);

/** `mesh dlq discard GROUP`: forgets dead letters. */
export const discard = (group: string, options: DeedOptions) => run(deeds.discard, group, options);

async function run(deed: Deed, group: string, options: DeedOptions): Promise<void> {
  const { id = [], all, type, reason, limit, dryRun = false, json } = options;
  if (id.length === 0 && !all && type === undefined && reason === undefined) {
    throw new UserError("Say which: --id ID, --type FACT, --reason REASON, or --all that wait");
  }
  if (id.length > 0 && all) throw new UserError("Give --id or --all, not both");
  const through: ShownDeadLetter[] = [];
  const done = dryRun ? `would be ${deed.done}` : deed.done;
  const progress = setInterval(() => progressLine(`${through.length} ${done} so far`), progressMs);
  let more = false;
  try {
    more = await asOperator(NotificationService, (client) => runAll(client, deed, { ...options, group }, through));
  } catch (error) {
    if (through.length > 0) progressLine(`${through.length} ${done} before it failed; to repeat it is safe`);
    throw error;
  } finally {
    clearInterval(progress);
  }
  if (json) return printJson({ group, dryRun, [deed.json]: through.length, more, deadLetters: through });
  if (through.length > 0) process.stdout.write(`${table(deadLetterHeading, through.map(deadLetterCells))}\n`);
  process.stdout.write(`${through.length} dead ${through.length === 1 ? "letter" : "letters"} of ${group} ${done}\n`);
  const missing = id.length - through.length;
  if (missing > 0) progressLine(`${missing} of those given do not wait there: see \`npx mesh dlq list --redriven\``);
  if (more) progressLine(`There may be more than ${limit}: run it again`);
}

/** Fills `through` page by page, so that what has been done is known when it fails. Answers whether there may be more. */
async function runAll(
  client: Client<typeof NotificationService>,
  { rpc }: Deed,
  { group, id, type, reason, limit, dryRun = false }: DeedOptions & { group: string },
  through: ShownDeadLetter[],
): Promise<boolean> {
  const filter = { group, deadLetterIds: id, eventType: type, reason, validateOnly: dryRun };
  for (let pageToken = ""; ; ) {
    const pageSize = Math.min(limit - through.length, atOnce);
    const page = await client[rpc]({ ...filter, pageSize, pageToken });
    through.push(...page.deadLetters.map(showDeadLetter));
    pageToken = page.nextPageToken;
    if (pageToken === "") return false;
    if (through.length >= limit) return true;
  }
}
