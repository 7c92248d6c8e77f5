import { describe, expect, it } from "vitest";
import { decideRefresh } from "./refresh.ts";

const at = (seconds: number) => new Date(seconds * 1000);
const now = at(1000);
const grace = { now, graceMs: 10_000 };
const session = { expireTime: at(2000), revokedTime: undefined };
const token = { expireTime: at(2000), usedTime: undefined };
const usedAt = (seconds: number) => ({ ...token, usedTime: at(seconds) });

describe("decideRefresh", () => {
  it.each([
    ["rotates a fresh token", token, session, "rotate"],
    ["replays one that was used just now", usedAt(1000), session, "replay"],
    ["replays until the last moment of the grace", usedAt(990), session, "replay"],
    ["sees reuse after it", usedAt(989.999), session, "reuse"],
    ["replays one that was used while this call waited", usedAt(1001), session, "replay"],
    ["refuses an expired one", { ...token, expireTime: now }, session, "refuse"],
    ["sees reuse of an expired one", { ...usedAt(1), expireTime: at(900) }, session, "reuse"],
    ["refuses all of an expired session", token, { ...session, expireTime: now }, "refuse"],
    ["refuses all of a revoked session", usedAt(1000), { ...session, revokedTime: at(999) }, "refuse"],
  ])("%s", (_name, presented, family, decision) => {
    expect(decideRefresh(presented, family, grace)).toBe(decision);
  });

  it("has no grace when none is wanted", () => {
    expect(decideRefresh(usedAt(999), session, { now, graceMs: 0 })).toBe("reuse");
  });
});
