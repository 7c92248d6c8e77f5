import { Code, createClient, type HandlerContext } from "@connectrpc/connect";
import { afterEach, describe, expect, it } from "vitest";
import { authenticating } from "./authenticate.ts";
import { Session, type Tokens } from "./session.ts";
import { withLastingStreams } from "./stream.ts";
import { demandToken, failure, startServer, type TestServer, tokens, WatchService } from "./testing.ts";
import { transportTo } from "./transport.ts";

let server: TestServer;
afterEach(() => server.close());

type Play = (cursor: string, call: HandlerContext) => AsyncIterable<{ cursor?: string; text?: string }>;

/** A mesh that plays one stream, and a client of it. */
async function start(play: Play, { have = tokens(1), attempts = 4 }: { have?: Tokens; attempts?: number } = {}) {
  const cursors: string[] = [];
  server = await startServer(({ service }) =>
    service(WatchService, {
      watch: ({ cursor }, call) => {
        cursors.push(cursor);
        return play(cursor, call);
      },
      listen: (_request, call) => play("", call),
      draw: (_request, call) => play("", call),
    }),
  );
  let refreshed = 0;
  const refresh = async () => {
    refreshed++;
    return tokens(refreshed + 1);
  };
  const session = new Session({ refresh }, have);
  const transport = transportTo({ baseUrl: server.url, fetch, timeoutMs: 1000 }, [authenticating(session)]);
  const retry = { attempts, maxWaitMs: 1000, isSafe: () => false };
  const client = withLastingStreams(WatchService, createClient(WatchService, transport), { session, retry });
  return { client, cursors, refreshes: () => refreshed };
}

async function textsOf(stream: AsyncIterable<{ text: string }>): Promise<string[]> {
  const texts: string[] = [];
  for await (const { text } of stream) texts.push(text);
  return texts;
}

/** Lines behind a cursor; the connection of those listed fails after the line. */
function lines(last: number, failing: ReadonlyMap<number, () => unknown>): Play {
  const once = new Map(failing);
  return async function* (cursor) {
    for (let number = Number(cursor || 0) + 1; number <= last; number++) {
      yield { cursor: String(number), text: `line ${number}` };
      const fail = once.get(number);
      once.delete(number);
      if (fail) throw fail();
    }
  };
}

const away = () => failure(Code.Unavailable, "UNAVAILABLE", 1);

describe("a stream with a cursor", () => {
  it("goes on behind the last message, with nothing lost and nothing twice", async () => {
    const { client, cursors } = await start(
      lines(
        5,
        new Map([
          [2, away],
          [4, away],
        ]),
      ),
    );
    expect(await textsOf(client.watch({}))).toEqual(["line 1", "line 2", "line 3", "line 4", "line 5"]);
    expect(cursors).toEqual(["", "2", "4"]);
  });

  it("starts where it is told to", async () => {
    const { client, cursors } = await start(lines(5, new Map()));
    expect(await textsOf(client.watch({ cursor: "3" }))).toEqual(["line 4", "line 5"]);
    expect(cursors).toEqual(["3"]);
  });

  it("goes on when its connection is cut", async () => {
    const { client, cursors } = await start(async function* (cursor, { signal }) {
      yield { cursor: `${cursor}x`, text: cursor };
      if (cursor === "") await new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }));
    });
    const texts: string[] = [];
    for await (const { text } of client.watch({})) {
      texts.push(text);
      if (text === "") server.cut();
    }
    expect(texts).toEqual(["", "x"]);
    expect(cursors).toEqual(["", "x"]);
  });

  it("goes on with a fresh token when its own expires", async () => {
    const played = lines(3, new Map([[2, () => failure(Code.Unauthenticated, "TOKEN_EXPIRED")]]));
    const { client, cursors, refreshes } = await start(played);
    expect(await textsOf(client.watch({}))).toHaveLength(3);
    expect(cursors).toEqual(["", "2"]);
    expect(refreshes()).toBe(1);
    expect(server.arrivals.map(({ headers }) => headers.authorization)).toEqual(["Bearer access-1", "Bearer access-2"]);
  });

  it("is given up when nothing comes any more", async () => {
    const { client, cursors } = await start(
      async function* (cursor) {
        if (cursor === "") yield { cursor: "1", text: "line 1" };
        throw away();
      },
      { attempts: 3 },
    );
    const texts: string[] = [];
    await expect(async () => {
      for await (const { text } of client.watch({})) texts.push(text);
    }).rejects.toMatchObject({ code: Code.Unavailable });
    expect(texts).toEqual(["line 1"]);
    expect(cursors).toEqual(["", "1", "1"]);
  });

  it("ends with an error that will not pass", async () => {
    const { client, cursors } = await start(
      lines(3, new Map([[1, () => failure(Code.PermissionDenied, "PERMISSION_DENIED")]])),
    );
    await expect(textsOf(client.watch({}))).rejects.toMatchObject({ code: Code.PermissionDenied });
    expect(cursors).toEqual([""]);
  });
});

describe("a stream without a cursor", () => {
  it("is opened again as long as nothing of it has arrived", async () => {
    const failures = [away(), away()];
    const { client } = await start(async function* () {
      const error = failures.shift();
      if (error) throw error;
      yield { text: "all" };
    });
    expect(await textsOf(client.listen({}))).toEqual(["all"]);
    expect(server.arrivals).toHaveLength(3);
  });

  it("fails once something has", async () => {
    const { client } = await start(async function* () {
      yield { text: "some" };
      throw away();
    });
    await expect(textsOf(client.listen({}))).rejects.toMatchObject({ code: Code.Unavailable });
    expect(server.arrivals).toHaveLength(1);
  });

  it("is not opened twice when it may not be", async () => {
    // biome-ignore lint/correctness/useYield: it fails before it has anything to say
    const { client } = await start(async function* () {
      throw away();
    });
    await expect(textsOf(client.draw({}))).rejects.toMatchObject({ code: Code.Unavailable });
    expect(server.arrivals).toHaveLength(1);
  });

  it("is opened with a fresh token when the first one is refused, and only once more", async () => {
    const play = (good: string): Play =>
      async function* (_cursor, { requestHeader }) {
        demandToken(requestHeader, good);
        yield { text: "all" };
      };
    const first = await start(play("access-2"));
    expect(await textsOf(first.client.listen({}))).toEqual(["all"]);
    await server.close();
    const second = await start(play("access-9"));
    await expect(textsOf(second.client.listen({}))).rejects.toMatchObject({ code: Code.Unauthenticated });
    expect(second.refreshes()).toBe(1);
    expect(server.arrivals).toHaveLength(2);
  });
});

describe("leaving a stream", () => {
  const endless = (ended: () => void): Play =>
    async function* (_cursor, { signal }) {
      yield { cursor: "1", text: "first" };
      await new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }));
      ended();
    };

  it("by leaving its loop ends the call at the server", async () => {
    const over = Promise.withResolvers<void>();
    const { client } = await start(endless(over.resolve));
    for await (const { text } of client.watch({})) {
      expect(text).toBe("first");
      break;
    }
    await over.promise;
  });

  it("by a signal ends it for both", async () => {
    const over = Promise.withResolvers<void>();
    const { client } = await start(endless(over.resolve));
    const leaver = new AbortController();
    await expect(async () => {
      for await (const _ of client.watch({}, { signal: leaver.signal })) leaver.abort();
    }).rejects.toMatchObject({ code: Code.Canceled });
    await over.promise;
    expect(server.arrivals).toHaveLength(1);
  });

  it("by a deadline ends it as well", async () => {
    const over = Promise.withResolvers<void>();
    const { client } = await start(endless(over.resolve));
    await expect(textsOf(client.watch({}, { timeoutMs: 1500 }))).rejects.toMatchObject({ code: Code.DeadlineExceeded });
    await over.promise;
    expect(server.arrivals[0]?.headers["connect-timeout-ms"]).toMatch(/^\d+$/);
  });

  it("is left to the reader when there is no deadline, whatever that of other calls is", async () => {
    const { client } = await start(lines(1, new Map()));
    await textsOf(client.watch({}));
    expect(server.arrivals[0]?.headers).not.toHaveProperty("connect-timeout-ms");
  });
});
