import { describe, expect, it, vi } from "vitest";
import { Code } from "../errors.ts";
import type { Jwks } from "./jws.ts";
import { KeySet } from "./key-set.ts";
import { keyPair } from "./testing.ts";

function setUp(answer: () => Promise<Jwks>) {
  let now = 1_000_000;
  const fetch = vi.fn(answer);
  const keys = new KeySet(fetch, { now: () => new Date(now) });
  return {
    fetch,
    keys,
    advance: (ms: number) => {
      now += ms;
    },
  };
}

const first = keyPair("first").publicJwk;
const second = keyPair("second").publicJwk;

describe("KeySet", () => {
  it("fetches once for many who ask at the same time", async () => {
    const { keys, fetch } = setUp(async () => ({ keys: [first] }));
    const found = await Promise.all(Array.from({ length: 50 }, () => keys.find("first")));
    expect(found.every((key) => key !== undefined)).toBe(true);
    expect(fetch).toHaveBeenCalledTimes(1);
  });

  it("fetches at most once in 10 seconds, whatever flood of unknown ids comes", async () => {
    const { keys, fetch, advance } = setUp(async () => ({ keys: [first] }));
    await keys.find("first");
    for (let n = 0; n <= 1000; n++) {
      expect(await keys.find(`unknown-${n}`)).toBeUndefined();
      advance(20);
    }
    expect(fetch).toHaveBeenCalledTimes(1 + 2);
  });

  it("finds a new key as soon as it may fetch again", async () => {
    const answer = { keys: [first] };
    const { keys, advance } = setUp(async () => answer);
    await keys.find("first");
    answer.keys = [first, second];
    expect(await keys.find("second")).toBeUndefined();
    advance(10_000);
    expect(await keys.find("second")).toBeDefined();
  });

  it.each([
    ["is away", () => Promise.reject(new Error("connect ECONNREFUSED"))],
    ["answers with nothing", async () => ({ keys: [] })],
    ["answers with garbage", async () => ({ keys: [{ kty: "RSA" }, {}, null] }) as unknown as Jwks],
    ["answers with another form", async () => "<html>" as unknown as Jwks],
  ])("keeps the last good keys while the source %s", async (_case, broken) => {
    let answer: () => Promise<Jwks> = async () => ({ keys: [first] });
    const { keys, advance, fetch } = setUp(() => answer());
    await keys.find("first");
    answer = broken;
    for (let n = 0; n < 5; n++) {
      advance(60_000);
      expect(await keys.find("first")).toBeDefined();
      await vi.waitFor(() => expect(fetch).toHaveBeenCalledTimes(2 + n), 5_000);
    }
  });

  it("says that it cannot know, not that a key is wrong, while the source is away", async () => {
    const { keys, advance } = setUp(() => Promise.reject(new Error("away")));
    await expect(keys.find("first")).rejects.toMatchObject({ code: Code.UNAVAILABLE });
    advance(500);
    await expect(keys.find("first")).rejects.toMatchObject({ code: Code.UNAVAILABLE });
  });

  it("does not keep those who know their key waiting for a slow source", async () => {
    let answer: () => Promise<Jwks> = async () => ({ keys: [first] });
    const { keys, advance } = setUp(() => answer());
    await keys.find("first");
    answer = () => new Promise(() => {});
    advance(60_000);
    await expect(keys.find("first")).resolves.toBeDefined();
  });
});
