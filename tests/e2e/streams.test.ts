import { once } from "node:events";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { WatchNotificationsResponse } from "#gen/notification/v1/notification_service_pb.js";
import { Taskmesh } from "../../clients/typescript/src/client.ts";
import { watch } from "../../clients/typescript/src/watch.ts";
import { TestMesh } from "../_util/mesh.ts";
import { Person } from "../_util/person.ts";
import { until } from "../_util/until.ts";

let mesh: TestMesh;
let ann: Person;
let bob: Person;

beforeAll(async () => {
  mesh = await TestMesh.start();
  await Promise.all([mesh.scale("notification", 2), mesh.scale("gateway", 2)]);
  await until("two of each", async () => {
    const { instances } = await mesh.status();
    return ["notification", "gateway"].every(
      (name) => instances.filter((each) => each.name.startsWith(`${name}-`) && each.status === "ready").length === 2,
    );
  });
  [ann, bob] = await Promise.all([Person.register(mesh.edge, "Ann"), Person.register(mesh.edge, "Bob")]);
});
afterAll(() => mesh?.stop());

const giveTask = (title: string, to: Person) => ann.ask("POST /v1/tasks", { title, assigneeIds: [to.userId] });

/** The ids of an inbox in the order in which the entries came. */
async function inboxOf(person: Person): Promise<string[]> {
  const ids: string[] = [];
  let pageToken = "";
  do {
    const page = await person.ask(`GET /v1/notifications?pageSize=200&pageToken=${encodeURIComponent(pageToken)}`);
    ids.push(...page.notifications.map(({ notificationId }: { notificationId: string }) => notificationId));
    pageToken = page.nextPageToken;
  } while (pageToken !== "");
  return ids.toReversed();
}

describe("a stream of the SDK", () => {
  it("loses nothing and doubles nothing while each instance on its way is killed and several write", async () => {
    const tokens = { accessToken: bob.token, refreshToken: "", expiresIn: 900 };
    let opened = 0;
    const counting: typeof fetch = (input, init) => {
      opened += 1;
      return fetch(input, init);
    };
    const client = new Taskmesh({ baseUrl: mesh.edge, tokens, fetch: counting });
    const leaving = new AbortController();
    const heard: WatchNotificationsResponse[] = [];
    const reading = (async () => {
      const { watchNotifications } = client.notifications;
      for await (const message of watch(watchNotifications, {}, { signal: leaving.signal })) heard.push(message);
    })().catch((error: unknown) => {
      if (!leaving.signal.aborted) throw error;
    });
    await until("the first message", () => heard.length > 0);

    let written = 0;
    const kills = async () => {
      for (const victim of ["notification-1", "notification-2", "gateway-1", "gateway-2"]) {
        const before = heard.length;
        await mesh.kill(victim);
        await until(`news after the end of ${victim}`, () => heard.length > before + 1);
      }
    };
    const ended = new AbortController();
    const writers = Array.from({ length: 3 }, async (_, writer) => {
      while (!ended.signal.aborted) {
        // A call that a killed gateway had under way may have failed: what counts is what the inbox has in the end.
        await giveTask(`task ${written} of ${writer}`, bob).then(
          () => {
            written += 1;
          },
          () => {},
        );
      }
    });
    await kills().finally(() => ended.abort());
    await Promise.all(writers);

    const created = () =>
      heard.flatMap(({ change }) => (change.case === "created" ? [change.value.notificationId] : []));
    await until("all of the inbox", async () => {
      const inbox = await inboxOf(bob);
      return inbox.length >= written && created().length >= inbox.length;
    });
    leaving.abort();
    await reading;
    expect(created()).toEqual(await inboxOf(bob));
    // One of the two instances and one of the two gateways at least carried it when they were killed.
    expect(opened).toBeGreaterThanOrEqual(3);
    const last = heard.at(-1);
    expect(last?.unreadCount).toBe(created().length);
  });
});

describe("through the edge", () => {
  let eve: Person;
  beforeAll(async () => {
    eve = await Person.register(mesh.edge, "Eve");
  });

  it("a browser's WebSocket hears of what happens", async () => {
    const { port } = new URL(mesh.edge);
    const socket = new WebSocket(`ws://127.0.0.1:${port}/v1/live`, ["taskmesh.v1", `bearer.${eve.token}`]);
    const frames: { result: { created?: { taskId: string } } }[] = [];
    socket.addEventListener("message", ({ data }) => frames.push(JSON.parse(String(data))));
    await until("the first frame", () => frames.length > 0);
    const { taskId } = await giveTask("by WebSocket", eve);
    await until("the entry", () => frames.some(({ result }) => result.created?.taskId === taskId));
    const closed = once(socket, "close");
    socket.close();
    await closed;
  });

  it("a browser's EventSource goes on behind the last event", async () => {
    const open = (headers: Record<string, string>) =>
      fetch(`${mesh.edge}/v1/live`, {
        headers: { accept: "text/event-stream", authorization: `Bearer ${eve.token}`, ...headers },
      });
    const first = await open({});
    const ids = /^id: (.+)$/m;
    const [id] = await readUntil(first, (text) => ids.exec(text)?.[1]);
    const { taskId } = await giveTask("while nobody listened", eve);
    const again = await open({ "last-event-id": id as string });
    const [found] = await readUntil(again, (text) => /"taskId":"([^"]+)"/.exec(text)?.[1]);
    expect(found).toBe(taskId);
  });

  it("every stream of a deployment is told to go on elsewhere, by its last line", async () => {
    const response = await fetch(`${mesh.edge}/v1/notifications:watch`, {
      headers: { authorization: `Bearer ${eve.token}` },
    });
    const ended = response.text();
    for (const instance of ["gateway-1", "gateway-2"]) await mesh.restart(instance);
    const lines = (await ended).trim().split("\n");
    expect(JSON.parse(lines.at(-1) ?? "")).toMatchObject({ error: { code: "UNAVAILABLE", retryAfter: 0 } });
  });
});

/** Reads until something is found in the text, and leaves. */
async function readUntil<T>(response: Response, find: (text: string) => T | undefined): Promise<[T, string]> {
  let text = "";
  for await (const chunk of response.body as unknown as AsyncIterable<Uint8Array>) {
    text += Buffer.from(chunk).toString();
    const found = find(text);
    if (found !== undefined) return [found, text];
  }
  throw new Error(`the stream ended: ${text}`);
}
