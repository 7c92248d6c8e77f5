import { expect, test } from "vitest";
import type { Redis } from "#kit/redis/redis.ts";
import { ConnectionCount } from "./connection-count.ts";

/** A Redis that counts what is in one set, and can be away. */
function played() {
  const members = new Set<string>();
  const state = { isAway: false };
  const away = () => Promise.reject(new Error("away"));
  const redis = {
    get status() {
      return state.isAway ? "reconnecting" : "ready";
    },
    eval: (_script: string, _keys: number, _key: string, id: string, limit: number) => {
      if (state.isAway) return away();
      if (members.size >= limit) return Promise.resolve(0);
      members.add(id);
      return Promise.resolve(1);
    },
    zrem: (_key: string, id: string) => (state.isAway ? away() : Promise.resolve(Number(members.delete(id)))),
  };
  return { state, count: new ConnectionCount({ redis: redis as unknown as Redis, limit: 2, longestMs: 60_000 }) };
}

const connection = (id: string) => ({ client: "192.0.2.1", id });

test("connections that ended while Redis was away do not count when it is back", async () => {
  const { state, count } = played();
  for (const id of ["a", "b"]) expect(await count.opened(connection(id))).toBe(true);
  expect(await count.opened(connection("c"))).toBe(false);
  state.isAway = true;
  for (const id of ["a", "b"]) await count.closed(connection(id));
  expect(await count.opened(connection("d"))).toBe(true);
  state.isAway = false;
  for (const id of ["e", "f"]) expect(await count.opened(connection(id))).toBe(true);
  expect(await count.opened(connection("g"))).toBe(false);
});
