import { Code, createClient, type HandlerContext } from "@connectrpc/connect";
import { afterEach, expect, it, vi } from "vitest";
import { authenticating } from "./authenticate.ts";
import { Session } from "./session.ts";
import { withLastingStreams } from "./stream.ts";
import { demandToken, failure, startServer, type TestServer, tokens, WatchService } from "./testing.ts";
import { transportTo } from "./transport.ts";
import { type WatchOptions, watch } from "./watch.ts";

let server: TestServer;
afterEach(() => server.close());

type Play = (cursor: string, call: HandlerContext) => AsyncIterable<{ cursor: string; text: string }>;

async function start(play: Play) {
  const cursors: string[] = [];
  server = await startServer(({ service }) =>
    service(WatchService, {
      watch: ({ cursor }, call) => {
        cursors.push(cursor);
        return play(cursor, call);
      },
    }),
  );
  let generation = 1;
  const session = new Session({ refresh: async () => tokens(++generation) }, tokens(1));
  const transport = transportTo({ baseUrl: server.url, fetch, timeoutMs: 1000 }, [authenticating(session)]);
  const retry = { attempts: 1, maxWaitMs: 10, isSafe: () => false };
  const client = withLastingStreams(WatchService, createClient(WatchService, transport), { session, retry });
  return { cursors, watch: (options?: WatchOptions) => watch(client.watch, { cursor: "" }, options) };
}

/** Reads until so many texts have come. */
async function take(stream: AsyncIterable<{ text: string }>, count: number): Promise<string[]> {
  const texts: string[] = [];
  for await (const { text } of stream) if (texts.push(text) === count) break;
  return texts;
}

const next = (cursor: string) => ({ cursor: `${Number(cursor) + 1}`, text: `line ${Number(cursor) + 1}` });
const quiet = (signal: AbortSignal) =>
  new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }));

it("outlives any number of failures, and goes on behind the last message", async () => {
  let calls = 0;
  const { watch, cursors } = await start(async function* (cursor) {
    calls += 1;
    if (calls % 4 !== 0) throw failure(Code.Unavailable, "UNAVAILABLE", 1);
    yield next(cursor);
    throw failure(Code.Unavailable, "UNAVAILABLE", 0);
  });
  const reasons: string[] = [];
  const texts = await take(watch({ onInterruption: ({ rawMessage }) => reasons.push(rawMessage) }), 3);
  expect(texts).toEqual(["line 1", "line 2", "line 3"]);
  expect(cursors).toEqual(["", "", "", "", "1", "1", "1", "1", "2", "2", "2", "2"]);
  expect(reasons).toHaveLength(11);
});

it("outlives its token, and waits as long as it is told to", async () => {
  let allowed = 0;
  const { watch, cursors } = await start(async function* (cursor, { requestHeader }) {
    demandToken(requestHeader, cursor === "" ? "access-1" : "access-2");
    if (cursor === "1" && allowed === 0) {
      allowed = Date.now() + 500;
      throw failure(Code.ResourceExhausted, "RATE_LIMITED", 500);
    }
    if (cursor === "1") expect(Date.now()).toBeGreaterThanOrEqual(allowed - 5);
    yield next(cursor);
    throw failure(Code.Unauthenticated, "TOKEN_EXPIRED");
  });
  expect(await take(watch(), 2)).toEqual(["line 1", "line 2"]);
  expect(cursors).toEqual(["", "1", "1"]);
});

it("outlives a connection that is cut, and one that has died without a word", async () => {
  const { watch, cursors } = await start(async function* (cursor, { signal }) {
    yield next(cursor);
    await quiet(signal);
  });
  const reasons: string[] = [];
  const texts: string[] = [];
  for await (const { text } of watch({
    silenceMs: 150,
    onInterruption: ({ rawMessage }) => reasons.push(rawMessage),
  })) {
    if (texts.push(text) === 1) server.cut();
    if (texts.length === 3) break;
  }
  expect(texts).toEqual(["line 1", "line 2", "line 3"]);
  expect(cursors).toEqual(["", "1", "2"]);
  expect(reasons.at(-1)).toBe("the stream has gone silent");
});

it("does not storm a mesh that says to come back at once, and has nothing to say", async () => {
  const random = vi.spyOn(Math, "random").mockReturnValue(0.99);
  const times: number[] = [];
  const { watch } = await start(async function* (cursor) {
    times.push(performance.now());
    if (times.length < 4) throw failure(Code.Unavailable, "UNAVAILABLE", 0);
    yield next(cursor);
  });
  expect(await take(watch(), 1)).toEqual(["line 1"]);
  random.mockRestore();
  const [, second = 0, third = 0, fourth = 0] = times;
  expect([third - second > 150, fourth - third > 300]).toEqual([true, true]);
});

it("waits for a reader who takes long over a message", async () => {
  const { watch, cursors } = await start(async function* () {
    yield next("0");
    yield next("1");
  });
  const texts: string[] = [];
  for await (const { text } of watch({ silenceMs: 50 })) {
    texts.push(text);
    await new Promise((resolve) => setTimeout(resolve, 120));
  }
  expect(texts).toEqual(["line 1", "line 2"]);
  expect(cursors).toEqual([""]);
});

it("ends with the signal, with what will not pass, and at the end of the stream", async () => {
  const leaver = new AbortController();
  const { watch } = await start(async function* (cursor, { signal }) {
    yield next(cursor);
    await quiet(signal);
  });
  await expect(async () => {
    for await (const _ of watch({ signal: leaver.signal })) leaver.abort();
  }).rejects.toMatchObject({ code: Code.Canceled });
  await server.close();

  // biome-ignore lint/correctness/useYield: it fails before it has anything to say
  const refused = await start(async function* () {
    throw failure(Code.InvalidArgument, "INVALID_FIELD");
  });
  await expect(take(refused.watch(), 1)).rejects.toMatchObject({ code: Code.InvalidArgument });
  expect(refused.cursors).toHaveLength(1);
  await server.close();

  const finite = await start(async function* (cursor) {
    yield next(cursor);
  });
  expect(await take(finite.watch(), 9)).toEqual(["line 1"]);
});
