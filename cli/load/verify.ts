import { setTimeout as sleep } from "node:timers/promises";
import { UserError } from "../user-error.ts";
import type { HttpClient } from "./http.ts";
import type { Count, KnownTask } from "./ledger.ts";
import type { Person } from "./people.ts";

export interface Verification {
  /** Tasks whose acknowledged writes were looked for, and those of which one is missing. */
  tasks: number;
  lostWrites: number;
  /** Notifications that must have come, those that did not, and those that came more often than they may. */
  notifications: number;
  lostNotifications: number;
  doubledNotifications: number;
  /** Some of what is wrong, by task and recipient. */
  examples: string[];
}

const side = 8;
const types = /^NOTIFICATION_TYPE_(TASK_ASSIGNED|TASK_SHARED|TASK_UPDATED|TASK_COMPLETED|COMMENT_ADDED)$/;

export interface VerifyOptions {
  /** How long it waits while nothing more arrives. */
  patienceMs?: number;
  /** How long doubles may take that follow the last one. */
  quietMs?: number;
  progress?: (line: string) => void;
}

/**
 * Looks for every acknowledged write, and for every notification that must have come of it, once in its recipient's
 * inbox. Waits for those under way, as long as some still arrive.
 */
export async function verify(
  client: HttpClient,
  people: readonly Person[],
  tasks: readonly KnownTask[],
  { patienceMs = 30_000, quietMs = 1500, progress = () => {} }: VerifyOptions = {},
): Promise<Verification> {
  const examples: string[] = [];
  const note = (line: string) => examples.length < 10 && examples.push(line);
  let lostWrites = 0;
  await inParallel(tasks, async (task) => {
    const fault = await faultOf(client, task);
    if (fault === undefined) return;
    lostWrites++;
    note(`task ${task.taskId}: ${fault}`);
  });
  const expected = expectedOf(tasks);
  const wanted = sumOf(expected.values(), ({ sure }) => sure);
  const seen = await untilThere(client, people, { expected, wanted, patienceMs, quietMs, progress });
  let [lost, doubled] = [0, 0];
  for (const [key, { sure, unsure }] of expected) {
    const count = seen.get(key) ?? 0;
    if (count < sure) note(`${key}: ${count} of ${sure} came`);
    if (count > sure + unsure) note(`${key}: ${count} came, ${sure + unsure} were due`);
    lost += Math.max(0, sure - count);
    doubled += Math.max(0, count - sure - unsure);
  }
  const known = new Set(tasks.map(({ taskId }) => taskId));
  for (const [key, count] of seen) {
    if (expected.has(key) || !known.has(key.slice(0, 36))) continue;
    doubled += count;
    note(`${key}: ${count} came, none was due`);
  }
  return {
    tasks: tasks.length,
    lostWrites,
    notifications: wanted,
    lostNotifications: lost,
    doubledNotifications: doubled,
    examples,
  };
}

/** What is missing of a task's acknowledged writes. */
async function faultOf(client: HttpClient, known: KnownTask): Promise<string | undefined> {
  const { taskId, owner, title, revision, isDone, isUnsure } = known;
  const read = (path: string) => readPatiently(client, path, owner.token);
  const task = await read(`/v1/tasks/${taskId}`);
  if (task === undefined) return "cannot be read";
  if (Number(task.revision) < revision) return `revision ${task.revision}, acknowledged was ${revision}`;
  if (!isUnsure && task.title !== title) return "has another title than was acknowledged";
  if (isDone && task.status !== "STATUS_DONE") return `is ${task.status}`;
  if (known.comments.size > 0) {
    const { comments = [] } = (await read(`/v1/tasks/${taskId}/comments?pageSize=1000`)) ?? {};
    const there = new Set(comments.map(({ commentId }: { commentId: string }) => commentId));
    if ([...known.comments].some((id) => !there.has(id))) return "lacks a comment";
  }
  if (known.members.size > 0) {
    const { collaborators = [] } = (await read(`/v1/tasks/${taskId}/collaborators`)) ?? {};
    const there = new Set(collaborators.map(({ userId }: { userId: string }) => userId));
    if ([...known.members].some((id) => !there.has(id))) return "lacks a collaborator";
  }
  return undefined;
}

/** By `task recipient type`. */
function expectedOf(tasks: readonly KnownTask[]): Map<string, Count> {
  return new Map(
    tasks.flatMap(({ taskId, notices }) => [...notices].map(([key, count]) => [`${taskId} ${key}`, count])),
  );
}

interface Waiting {
  expected: ReadonlyMap<string, Count>;
  wanted: number;
  patienceMs: number;
  quietMs: number;
  progress: (line: string) => void;
}

/** What is in the inboxes once all that is due has come, or nothing more comes; doubles have a moment to come, too. */
async function untilThere(
  client: HttpClient,
  people: readonly Person[],
  { expected, wanted, patienceMs, quietMs, progress }: Waiting,
): Promise<Map<string, number>> {
  let best = -1;
  let until = performance.now() + patienceMs;
  for (;;) {
    const seen = await readInboxes(client, people);
    const there = sumOf(expected, ([key, { sure }]) => Math.min(sure, seen.get(key) ?? 0));
    if (there === wanted) break;
    if (there > best) until = performance.now() + patienceMs;
    if (performance.now() > until) return seen;
    best = there;
    progress(`${there} of ${wanted} notifications are there`);
    await sleep(1000);
  }
  await sleep(quietMs);
  return readInboxes(client, people);
}

/** How many notifications there are, by `task recipient type`. */
async function readInboxes(client: HttpClient, people: readonly Person[]): Promise<Map<string, number>> {
  const seen = new Map<string, number>();
  await inParallel(people, async ({ token, userId }) => {
    let pageToken = "";
    do {
      const path = `/v1/notifications?pageSize=1000&pageToken=${encodeURIComponent(pageToken)}`;
      const page: InboxPage = (await readPatiently(client, path, token)) ?? {};
      for (const { taskId, type } of page.notifications ?? []) {
        const [, name] = types.exec(type) ?? [];
        if (name === undefined) continue;
        const key = `${taskId} ${userId} ${name}`;
        seen.set(key, (seen.get(key) ?? 0) + 1);
      }
      pageToken = page.nextPageToken ?? "";
    } while (pageToken !== "");
  });
  return seen;
}

interface InboxPage {
  notifications?: { taskId: string; type: string }[];
  nextPageToken?: string;
}

const mostTries = 10;

/** What is there; undefined for what is not. Who is busy or away for the moment is asked again. */
// biome-ignore lint/suspicious/noExplicitAny: answers of several calls
async function readPatiently(client: HttpClient, path: string, token: string): Promise<any> {
  for (let tries = 1; ; tries++) {
    const answer = await client.call({ method: "GET", path, token }).catch(() => undefined);
    if (answer?.status === 200) return JSON.parse(answer.body);
    if (answer?.status === 404) return undefined;
    if (tries === mostTries)
      throw new UserError(`${path} cannot be verified: it answers ${answer?.status ?? "nothing"}`);
    await sleep(200 * tries);
  }
}

async function inParallel<T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
  let next = 0;
  const worker = async () => {
    while (next < items.length) await work(items[next++] as T);
  };
  await Promise.all(Array.from({ length: side }, worker));
}

function sumOf<T>(items: Iterable<T>, value: (item: T) => number): number {
  let sum = 0;
  for (const item of items) sum += value(item);
  return sum;
}
