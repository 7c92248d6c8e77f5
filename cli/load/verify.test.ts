import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, expect, test } from "vitest";
import { Calls } from "./calls.ts";
import { HttpClient } from "./http.ts";
import { registerPeople } from "./people.ts";
import { verify } from "./verify.ts";

let server: Server;
let client: HttpClient;

afterEach(() => {
  client.close();
  server.closeAllConnections();
  server.close();
});

interface StoredTask {
  taskId: string;
  title: string;
  ownerId: string;
  status: string;
  revision: string;
  members: string[];
  comments: { commentId: string; text: string }[];
}

/** What can go wrong in a task service. */
interface Faults {
  /** This write, by its number, is answered and forgotten. */
  forget?: number;
  /** This notification, by its number, is not delivered, or is twice. */
  lose?: number;
  double?: number;
  /** This call, by its number, is answered with another task's title. */
  mixUp?: number;
}

/** As much of the service as the load sees. */
async function serve(faults: Faults = {}): Promise<void> {
  const tasks = new Map<string, StoredTask>();
  const inboxes = new Map<string, object[]>();
  let [writes, notices, calls] = [0, 0, 0];
  const tell = (task: StoredTask, type: string, recipients = task.members) => {
    for (const recipient of recipients) {
      notices++;
      const times = notices === faults.lose ? 0 : notices === faults.double ? 2 : 1;
      const notice = { taskId: task.taskId, type: `NOTIFICATION_TYPE_${type}` };
      inboxes.set(recipient, [...(inboxes.get(recipient) ?? []), ...Array.from({ length: times }, () => notice)]);
    }
  };
  // biome-ignore lint/suspicious/noExplicitAny: bodies of several calls
  const answer = (method: string, path: string, userId: string, body: any): object | undefined => {
    if (path === "/v1/auth/register") {
      const id = randomUUID();
      return { accessToken: id, refreshToken: "r", expiresIn: 900, user: { userId: id } };
    }
    if (path.startsWith("/v1/notifications")) return { notifications: inboxes.get(userId) ?? [] };
    if (path.startsWith("/v1/tasks?")) return { tasks: [...tasks.values()].slice(0, 20) };
    if (method !== "GET" && ++writes === faults.forget) return forgotten(path, userId, body, tasks);
    if (path === "/v1/tasks") {
      const members = body.assigneeIds ?? [];
      const made = { ...body, ownerId: userId, status: "STATUS_OPEN", revision: "1", members, comments: [] };
      tasks.set(body.taskId, made);
      tell(made, "TASK_ASSIGNED");
      return made;
    }
    const task = tasks.get(path.slice(10, 46));
    if (task === undefined) return undefined;
    return change(task, path.slice(46), method, body, tell);
  };
  server = createServer(async (request, response) => {
    const chunks = await request.toArray();
    const userId = request.headers.authorization?.slice(7) ?? "";
    const body = chunks.length === 0 ? undefined : JSON.parse(Buffer.concat(chunks).toString());
    const reply = answer(request.method ?? "", request.url ?? "", userId, body);
    const text = JSON.stringify(
      ++calls === faults.mixUp ? { ...reply, title: "Another", taskId: "another" } : (reply ?? {}),
    );
    response.writeHead(reply === undefined ? 404 : 200).end(text);
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  client = new HttpClient(new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}`), 8);
}

type Tell = (task: StoredTask, type: string, recipients?: string[]) => void;

// biome-ignore lint/suspicious/noExplicitAny: bodies of several calls
function change(task: StoredTask, rest: string, method: string, body: any, tell: Tell): object {
  if (method === "PATCH") {
    Object.assign(task, { title: body.title, revision: String(Number(task.revision) + 1) });
    tell(task, "TASK_UPDATED");
  } else if (rest === ":complete") {
    Object.assign(task, { status: "STATUS_DONE", revision: String(Number(task.revision) + 1) });
    tell(task, "TASK_COMPLETED");
    return { task };
  } else if (rest === ":share") {
    task.members.push(body.userId);
    tell(task, "TASK_SHARED", [body.userId]);
    return { collaborator: { userId: body.userId, role: body.role } };
  } else if (rest.startsWith("/comments") && method === "POST") {
    const comment = { commentId: randomUUID(), text: body.text };
    task.comments.push(comment);
    tell(task, "COMMENT_ADDED");
    return comment;
  } else if (rest.startsWith("/comments")) return { comments: task.comments };
  else if (rest.startsWith("/collaborators")) return { collaborators: task.members.map((userId) => ({ userId })) };
  return task;
}

// biome-ignore lint/suspicious/noExplicitAny: bodies of several calls
function forgotten(path: string, userId: string, body: any, tasks: Map<string, StoredTask>): object {
  if (path === "/v1/tasks") return { ...body, ownerId: userId, status: "STATUS_OPEN", revision: "1" };
  const task = structuredClone(tasks.get(path.slice(10, 46)) as StoredTask);
  return change(task, path.slice(46), body.title ? "PATCH" : "POST", body, () => {});
}

async function work(requests: number) {
  const people = await registerPeople(client, 5, { progress: () => {} });
  const calls = new Calls(client, people, { read: 30, write: 70 }, 7);
  const failures: (string | undefined)[] = [];
  for (let index = 0; index < requests; index++) failures.push(await calls.send(index));
  const { tasks } = calls.ledger;
  return { failures, tasks, found: await verify(client, people, tasks, { patienceMs: 10, quietMs: 10 }) };
}

test("everything that was acknowledged is found, and every notification that must have come, once", async () => {
  await serve();
  const { failures, tasks, found } = await work(300);
  expect(failures.filter(Boolean)).toEqual([]);
  expect(tasks.length).toBeGreaterThan(50);
  expect(found).toMatchObject({ tasks: tasks.length, lostWrites: 0, lostNotifications: 0, doubledNotifications: 0 });
  expect(found.notifications).toBeGreaterThan(50);
});

test.each([20, 60, 61, 62, 63])("write %i, acknowledged and forgotten, is missed", async (forget) => {
  await serve({ forget });
  const { found } = await work(150);
  expect(found.lostWrites).toBe(1);
});

test("one lost and one doubled notification are seen", async () => {
  await serve({ lose: 10, double: 20 });
  const { found } = await work(150);
  expect(found).toMatchObject({ lostWrites: 0, lostNotifications: 1, doubledNotifications: 1 });
  expect(found.examples).toHaveLength(2);
});

test("an answer that speaks of something else is a failure", async () => {
  await serve({ mixUp: 40 });
  const { failures } = await work(60);
  expect(failures.filter(Boolean).length).toBeGreaterThanOrEqual(1);
  expect(new Set(failures.filter(Boolean))).toEqual(new Set(["wrong body"]));
});

test("a server that is away is a failure of its own kind, and promises nothing", async () => {
  await serve();
  const people = await registerPeople(client, 2, { progress: () => {} });
  const calls = new Calls(client, people, { read: 0, write: 1 }, 1);
  server.closeAllConnections();
  await new Promise((closed) => server.close(closed));
  expect(await calls.send(0)).toMatch(/^ECONN/);
  expect(calls.ledger.tasks).toEqual([]);
});
