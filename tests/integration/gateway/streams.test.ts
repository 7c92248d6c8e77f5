import type { JsonObject } from "@bufbuild/protobuf";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { ErrorReason } from "#gen/mesh/v1/error_reason_pb.js";
import type { WatchNotificationsRequest } from "#gen/notification/v1/notification_service_pb.js";
import { invalidArgument, ServiceError, unauthenticated } from "#kit/errors.ts";
import type { CallContext } from "#kit/grpc/service.ts";
import { type Edge, startEdge } from "./edge.ts";
import { fieldsOf, forms, hear, pieces, watchName, watchPath } from "./stream-clients.ts";

let edge: Edge;
let headers: Record<string, string>;

beforeAll(async () => {
  edge = await startEdge();
  headers = { authorization: `Bearer ${edge.issuer.token()}` };
});
afterAll(() => edge.close());
/** The calls that reached the service; the gateway's own are not counted. */
const watches = () => edge.arrivals.filter(({ method }) => method === watchName);
beforeEach(() => {
  edge.arrivals.length = 0;
});

const notification = { notificationId: "n", title: 'line\nbreak \u2028 "quoted" ünïcode', type: 3 };
const three = [
  { cursor: "c0", unreadCount: 0, revision: 7n },
  { cursor: "c1", unreadCount: 1, revision: 9007199254740993n, change: { case: "created", value: notification } },
  { cursor: "c2", unreadCount: 0, revision: 9n, change: { case: "updated", value: notification } },
];

/** Plays a service that says so much and then ends, or fails. */
function play(messages: unknown[], error?: Error): void {
  edge.handlers.set(watchName, async function* () {
    yield* messages;
    if (error) throw error;
  });
}

describe("every form of a stream", () => {
  test("brings the same messages, in their order, and says that it came to its end [edge.03]", async () => {
    play(three);
    const heard = await Promise.all(forms.map((form) => hear(edge, form, { headers })));
    const [first] = heard;
    expect(first?.messages).toMatchObject([
      { cursor: "c0", unreadCount: 0, revision: "7" },
      { cursor: "c1", unreadCount: 1, revision: "9007199254740993", created: { title: notification.title } },
      { cursor: "c2", updated: { notificationId: "n", type: "NOTIFICATION_TYPE_TASK_UPDATED", body: "" } },
    ]);
    for (const [index, form] of forms.entries())
      expect({ form, ...heard[index] }).toEqual({ form, ...first, end: "well" });
  });

  test.each([
    [unauthenticated(ErrorReason.TOKEN_EXPIRED, "the access token has expired"), "UNAUTHENTICATED", "TOKEN_EXPIRED"],
    [
      new ServiceError({ reason: ErrorReason.UNAVAILABLE, message: "away", retryAfterMs: 2500 }),
      "UNAVAILABLE",
      "UNAVAILABLE",
    ],
    [new TypeError("secret detail"), "INTERNAL", "INTERNAL"],
  ])("an error in the midst is told within the stream: %s [pain.12]", async (error, code, reason) => {
    play(three.slice(0, 2), error);
    for (const form of forms) {
      const { messages, end } = await hear(edge, form, { headers });
      expect({ form, count: messages.length, end }).toEqual({ form, count: 2, end: { code, reason } });
    }
  });

  test.each(forms)("a client that goes away cancels the call at the service: %s", async (form) => {
    const given = Promise.withResolvers<Error>();
    edge.handlers.set(watchName, async function* (_request: unknown, { signal }: CallContext) {
      signal.addEventListener("abort", () => given.resolve(signal.reason));
      yield three[0];
      await given.promise;
    });
    const leaving = new AbortController();
    const heard = hear(edge, form, { headers, signal: leaving.signal, onMessage: () => leaving.abort() });
    heard.catch(() => {});
    expect(await given.promise).toMatchObject({ reason: ErrorReason.CANCELLED });
  });

  test.each(forms)("each message comes as soon as it is there: %s", async (form) => {
    const turns = [Promise.withResolvers<void>(), Promise.withResolvers<void>()] as const;
    edge.handlers.set(watchName, async function* () {
      yield three[0];
      await turns[0].promise;
      yield three[1];
      await turns[1].promise;
      yield three[2];
    });
    let count = 0;
    const heard = await hear(edge, form, { headers, onMessage: () => turns[count++]?.resolve() });
    expect([heard.messages.length, heard.end]).toEqual([3, "well"]);
  });
});

describe("REST", () => {
  const get = (path: string, extra: Record<string, string> = {}) =>
    fetch(`${edge.url}${path}`, { headers: { ...headers, ...extra } });

  test.each([
    [undefined, "application/x-ndjson"],
    ["*/*", "application/x-ndjson"],
    ["application/*", "application/x-ndjson"],
    ["application/jsonl", "application/jsonl"],
    ["text/event-stream", "text/event-stream"],
    ["text/*;q=0.5, application/x-ndjson;q=0.2", "text/event-stream"],
  ])("Accept %s is answered with %s, by any binding", async (accept, mediaType) => {
    play(three);
    for (const path of [watchPath, "/v1/live"]) {
      const response = await get(path, accept === undefined ? {} : { accept });
      expect([response.status, response.headers.get("content-type")]).toEqual([200, mediaType]);
      expect(response.headers.get("cache-control")).toContain("no-store");
      expect(response.headers.get("x-accel-buffering")).toBe("no");
      expect(response.headers.get("x-content-type-options")).toBe("nosniff");
      await response.text();
    }
  });

  test("406 for an Accept that fits nothing, before anything is called", async () => {
    for (const accept of ["application/json", "text/html", "application/x-ndjson;q=0"]) {
      const response = await get(watchPath, { accept });
      expect([response.status, response.headers.get("content-type")]).toEqual([
        406,
        "application/problem+json; charset=utf-8",
      ]);
      expect(await response.json()).toMatchObject({ detail: expect.stringContaining("text/event-stream") });
    }
    expect(watches()).toEqual([]);
  });

  test("what is wrong before the first message has a status of its own [pain.12]", async () => {
    play([], invalidArgument("cursor", "not a cursor"));
    const refused = await get(watchPath, { accept: "text/event-stream" });
    expect([refused.status, await refused.json()]).toMatchObject([400, { fieldViolations: [{ field: "cursor" }] }]);
    const unknown = await get(`${watchPath}?colour=red`);
    expect([unknown.status, await unknown.json()]).toMatchObject([400, { fieldViolations: [{ field: "colour" }] }]);
    const nobody = await fetch(`${edge.url}${watchPath}`, { headers: { accept: "text/event-stream" } });
    expect([nobody.status, nobody.headers.get("www-authenticate")]).toEqual([401, 'Bearer realm="taskmesh"']);
  });

  test("an unknown field of a body is named [pain.12]", async () => {
    const response = await fetch(`${edge.url}/v1/tasks`, {
      method: "POST",
      headers: { ...headers, "content-type": "application/json" },
      body: '{"title":"x","colour":"red"}',
    });
    expect([response.status, response.headers.get("content-type")]).toEqual([
      400,
      "application/problem+json; charset=utf-8",
    ]);
    expect(await response.json()).toMatchObject({ fieldViolations: [{ field: "colour" }] });
  });

  test("HEAD opens nothing, OPTIONS tells what there is, POST is not served", async () => {
    const head = await fetch(`${edge.url}${watchPath}`, {
      method: "HEAD",
      headers: { ...headers, accept: "text/event-stream" },
    });
    expect([head.status, head.headers.get("content-type"), await head.text()]).toEqual([200, "text/event-stream", ""]);
    expect(watches()).toEqual([]);
    const options = await fetch(`${edge.url}${watchPath}`, { method: "OPTIONS" });
    expect([options.status, options.headers.get("allow")]).toEqual([204, "GET, HEAD"]);
    const post = await fetch(`${edge.url}${watchPath}`, { method: "POST", headers });
    expect(post.status).toBe(405);
  });

  test("the error that ends a stream is a whole problem document, and says when to come back", async () => {
    play(three.slice(0, 1), new ServiceError({ reason: ErrorReason.UNAVAILABLE, message: "away", retryAfterMs: 2500 }));
    const text = await (await get(watchPath)).text();
    const last = JSON.parse(text.trim().split("\n").at(-1) ?? "");
    expect(last).toEqual({
      error: {
        type: "about:blank",
        title: "Service Unavailable",
        status: 503,
        detail: "away",
        code: "UNAVAILABLE",
        reason: "UNAVAILABLE",
        requestId: expect.any(String),
        retryAfter: 3,
      },
    });
    const events = (await (await get(watchPath, { accept: "text/event-stream" })).text()).split("\n\n").map(fieldsOf);
    expect(events.at(0)).toEqual({ retry: "1000" });
    expect(events.at(-2)).toMatchObject({ event: "error", retry: "2500" });
  });

  test("Last-Event-ID is where the stream goes on, before a cursor in the URL [edge.03]", async () => {
    edge.handlers.set(watchName, async function* ({ cursor }: WatchNotificationsRequest) {
      yield { cursor: `${cursor}+`, unreadCount: 0, revision: 1n };
    });
    const response = await get(`${watchPath}?cursor=old`, { accept: "text/event-stream", "last-event-id": "new" });
    const [, message] = (await response.text()).split("\n\n").map(fieldsOf);
    expect(message).toMatchObject({ id: "new+" });
  });

  test("a stream that is quiet from the beginning is open nevertheless", async () => {
    const over = Promise.withResolvers<void>();
    edge.handlers.set(watchName, async function* () {
      await over.promise;
      yield three[0];
    });
    const response = await get(watchPath, { accept: "text/event-stream" });
    expect(response.status).toBe(200);
    over.resolve();
    const events = [];
    for await (const text of pieces(response.body as ReadableStream<Uint8Array>, "\n\n")) events.push(fieldsOf(text));
    expect(events).toMatchObject([{ retry: "1000" }, { id: "c0" }, { event: "end" }]);
  });

  test("Prefer: wait bounds a stream, which says so", async () => {
    edge.handlers.set(watchName, async function* (_request: unknown, { signal }: CallContext) {
      yield three[0];
      await new Promise((resolve) => signal.addEventListener("abort", resolve));
    });
    const { end } = await hear(edge, "NDJSON", { headers: { ...headers, prefer: "wait=1" } });
    expect(end).toEqual({ code: "DEADLINE_EXCEEDED", reason: "DEADLINE_EXCEEDED" });
  });

  test("unary calls are as they were", async () => {
    edge.handlers.set("notification.v1.NotificationService/GetUnreadCount", async () => ({
      unreadCount: 2,
      revision: 3n,
    }));
    const response = await get("/v1/notifications:unreadCount", { accept: "text/event-stream" });
    expect([response.status, (await response.json()) as JsonObject]).toEqual([200, { unreadCount: 2, revision: "3" }]);
  });
});
