import { newId } from "#kit/id.ts";
import type { TestMesh } from "../_util/mesh.ts";
import { Person } from "../_util/person.ts";
import { until } from "../_util/until.ts";

export interface Storm {
  mesh: TestMesh;
  tasks: number;
  /** Instances to kill with SIGKILL, one after the other, spread over the writing. */
  victims: string[];
}

export interface Expected {
  /** Everybody who was given tasks, with the ids of those tasks. */
  recipients: { person: Person; taskIds: Set<string> }[];
  author: Person;
}

/** What reached one person, as lists, so that a double shows. */
export interface Reached {
  notified: string[];
  mailed: string[];
}

const writers = 6;

/** Writes tasks through the edge, each given to one of three people, while the victims are killed. Answers with what was acknowledged. */
export async function raise({ mesh, tasks, victims }: Storm): Promise<Expected> {
  const [author, ...people] = await Promise.all(
    ["Ann", "Bob", "Cleo", "Dana"].map((name) => Person.register(mesh.edge, name)),
  );
  const recipients = people.map((person) => ({ person, taskIds: new Set<string>() }));
  let started = 0;
  let acknowledged = 0;
  const write = async () => {
    while (started < tasks) {
      const recipient = recipients[started++ % recipients.length] as (typeof recipients)[number];
      recipient.taskIds.add(await createUntilAcknowledged(author as Person, recipient.person));
      acknowledged++;
    }
  };
  const kill = async () => {
    for (const [index, victim] of victims.entries()) {
      const turn = ((index + 0.5) / victims.length) * tasks;
      await until(`${Math.floor(turn)} acknowledged tasks`, () => acknowledged >= turn, {
        timeoutMs: 120_000,
        everyMs: 5,
      });
      await mesh.kill(victim);
    }
  };
  await Promise.all([kill(), ...Array.from({ length: writers }, write)]);
  return { recipients, author: author as Person };
}

/** The client chooses the id, so that a call whose answer was lost can be made again. */
async function createUntilAcknowledged(author: Person, recipient: Person): Promise<string> {
  const taskId = newId();
  const body = { taskId, title: `Task ${taskId}`, assigneeIds: [recipient.userId] };
  return until(
    `task ${taskId} to be acknowledged`,
    async () => {
      const { status, body: answer } = await author.call("POST /v1/tasks", body, {
        signal: AbortSignal.timeout(5_000),
      });
      if (status === 200 || status === 409) return taskId;
      throw new Error(`${status}: ${JSON.stringify(answer)}`);
    },
    { timeoutMs: 90_000, everyMs: 50 },
  );
}

/** Every acknowledged task that its author cannot read. */
export async function lostTasks({ author, recipients }: Expected): Promise<string[]> {
  const lost: string[] = [];
  for (const taskId of recipients.flatMap(({ taskIds }) => [...taskIds])) {
    // While a part of it comes back, the mesh may say that it is away.
    const status = await until(`an answer about ${taskId}`, async () => {
      const answer = await author.call(`GET /v1/tasks/${taskId}`);
      return answer.status < 500 && answer.status;
    });
    if (status !== 200) lost.push(taskId);
  }
  return lost;
}

/** What is in the inbox and in the mailbox of each recipient now. */
export async function reached(mesh: TestMesh, { recipients }: Expected): Promise<Reached[]> {
  return Promise.all(
    recipients.map(async ({ person, taskIds }) => {
      const mails = await mesh.mailsTo(person.email);
      return {
        notified: (await inbox(person)).map(({ taskId }) => taskId),
        mailed: mails.flatMap((mail) => [...taskIds].filter((taskId) => mail.text.includes(taskId))),
      };
    }),
  );
}

async function inbox(person: Person): Promise<{ taskId: string }[]> {
  const entries: { taskId: string }[] = [];
  let pageToken = "";
  do {
    const page = await person.ask(`GET /v1/notifications?pageSize=200&pageToken=${encodeURIComponent(pageToken)}`);
    entries.push(...(page.notifications ?? []));
    pageToken = page.nextPageToken ?? "";
  } while (pageToken !== "");
  return entries;
}

/** Waits until everybody has been reached at least once for each task; says who has not. */
export async function untilAllReached(mesh: TestMesh, expected: Expected, timeoutMs = 120_000): Promise<void> {
  await until(
    "everybody to be reached",
    async () => {
      const lists = await reached(mesh, expected);
      return lists.every(({ notified, mailed }, index) => {
        const wanted = expected.recipients[index]?.taskIds.size ?? 0;
        return new Set(notified).size >= wanted && new Set(mailed).size >= wanted;
      });
    },
    { timeoutMs, everyMs: 500 },
  );
}
