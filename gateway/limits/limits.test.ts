import { describe, expect, test } from "vitest";
import { RateClass } from "#gen/mesh/v1/options_pb.js";
import { ConfigError } from "#kit/env.ts";
import { policyOf } from "#kit/grpc/policy.ts";
import { readConfig } from "../config.ts";
import { meshServices } from "../services.ts";
import { policyField, stateField } from "./fields.ts";
import { LocalBuckets } from "./local-buckets.ts";
import { type Limit, presets } from "./presets.ts";
import { adjust, rulesOf } from "./rules.ts";

const namesFor = (preset: keyof typeof presets, ...call: Parameters<ReturnType<typeof rulesOf>>) =>
  rulesOf(presets[preset])(...call).limits.map(({ name }) => name);
const limit: Limit = { name: "general", per: "caller", callers: ["standard"], points: 50, seconds: 1 };

describe("the fields", () => {
  test("RateLimit-Policy and RateLimit are lists of strings with integer parameters (RFC 9651)", () => {
    expect(policyField([limit, { ...limit, name: "b", points: 7, seconds: 60 }])).toBe(
      '"general";q=50;w=1, "b";q=7;w=60',
    );
    expect(
      stateField([
        { limit, allowed: true, remaining: 49, moreAfterMs: 20 },
        { limit: { ...limit, name: "b" }, allowed: false, remaining: 0, moreAfterMs: 59_001 },
      ]),
    ).toBe('"general";r=49;t=1, "b";r=0;t=60');
  });

  test("every name fits in a structured string, and is used once", () => {
    for (const limits of Object.values(presets)) {
      const names = limits.map(({ name }) => name);
      for (const name of names) expect(name).toMatch(/^[a-z0-9-]+$/);
      expect(new Set(names).size).toBe(names.length);
    }
  });
});

describe("which limits count a call", () => {
  test("by class, by caller and by address", () => {
    expect(namesFor("standard", "standard", "general")).toEqual(["general", "general-address"]);
    expect(namesFor("standard", "standard", "urgent")).toEqual(["urgent", "urgent-address"]);
    expect(namesFor("standard", "premium", "general")).toEqual(["general-premium"]);
    expect(namesFor("standard", "page", "general")).toEqual(["general-address"]);
    expect(namesFor("standard", "anonymous", "auth")).toEqual([
      "auth-address",
      "anonymous-minute",
      "anonymous-10-minutes",
      "anonymous-hour",
    ]);
    expect(namesFor("strict", "standard", "auth")).toEqual(["address"]);
    expect(namesFor("strict", "premium", "auth")).toEqual(["premium"]);
    expect(namesFor("off", "anonymous", "auth")).toEqual([]);
  });

  test("no RPC costs more than a bucket that counts it holds", () => {
    const classNames = {
      [RateClass.GENERAL]: "general",
      [RateClass.AUTH]: "auth",
      [RateClass.URGENT]: "urgent",
    } as const;
    for (const method of Object.values(meshServices).flatMap(({ methods }) => methods)) {
      const policy = policyOf(method);
      if (policy === undefined) continue;
      for (const caller of ["anonymous", "standard", "premium"] as const) {
        for (const { name, points } of rulesOf(presets.standard)(caller, classNames[policy.rateClass]).limits) {
          expect([method.name, name, policy.cost <= points]).toEqual([method.name, name, true]);
        }
      }
    }
  });

  test("every call of a preset that limits at all is limited", () => {
    for (const preset of ["standard", "strict"] as const) {
      for (const caller of ["anonymous", "standard", "premium"] as const) {
        for (const rateClass of ["general", "auth", "urgent"] as const) {
          expect(namesFor(preset, caller, rateClass)).not.toEqual([]);
        }
      }
    }
  });
});

describe("what the environment changes", () => {
  const files = { MESH_IDENTITY_KEY_FILE: import.meta.filename, MESH_IDENTITY_JWKS_FILE: import.meta.filename };
  const read = (changes: Record<string, string>) => readConfig({ MESH_ADDRESS: "127.0.0.1:1", ...files, ...changes });
  const pointsOf = (changes: Record<string, string>) =>
    Object.fromEntries(read(changes).limits.limits.map(({ name, points }) => [name, points]));

  test("the scale multiplies every limit, and leaves one at least", () => {
    expect(pointsOf({ RATE_LIMIT_SCALE: "2.5" })).toMatchObject({ general: 125, auth: 25, "anonymous-hour": 5000 });
    expect(pointsOf({ RATE_LIMIT_SCALE: "0.001" })).toMatchObject({ general: 1, "anonymous-hour": 2 });
  });

  test("any limit may be given another size and time", () => {
    const { limits } = read({ RATE_LIMIT_OVERRIDES: "general=100/2,auth=3/60", RATE_LIMIT_SCALE: "2" }).limits;
    expect(limits.find(({ name }) => name === "general")).toMatchObject({ points: 200, seconds: 2 });
    expect(limits.find(({ name }) => name === "auth")).toMatchObject({ points: 6, seconds: 60 });
  });

  test.each([
    [{ RATE_LIMIT_PRESET: "lax" }, "RATE_LIMIT_PRESET is wrong: it must be standard or strict or off"],
    [{ RATE_LIMIT_SCALE: "0" }, "RATE_LIMIT_SCALE is wrong"],
    [{ RATE_LIMIT_SCALE: "many" }, "RATE_LIMIT_SCALE is wrong"],
    [{ RATE_LIMIT_OVERRIDES: "generl=1/1" }, "RATE_LIMIT_OVERRIDES is wrong: each must be name=points/seconds"],
    [{ RATE_LIMIT_OVERRIDES: "general=0/1" }, "RATE_LIMIT_OVERRIDES is wrong: points and seconds must be 1 or more"],
    [{ RATE_LIMIT_PRESET: "off", NODE_ENV: "production" }, "RATE_LIMIT_PRESET is wrong: it must not be off"],
  ])("%j is refused at start", (changes, message) => {
    expect(() => read(changes)).toThrow(ConfigError);
    expect(() => read(changes)).toThrow(message);
  });

  test("off means none, where nothing is in production", () => {
    expect(pointsOf({ RATE_LIMIT_PRESET: "off" })).toEqual({});
  });

  test("an override never touches the table itself", () => {
    adjust(presets.standard, ["general=1/1"], 1);
    expect(presets.standard[0].points).toBe(50);
  });
});

describe("buckets of this process", () => {
  let now = 0;
  const buckets = new LocalBuckets(() => now);
  const take = async (limit: Limit, cost = 1) => (await buckets.take([{ limit, key: "a" }], cost))[0];

  test("give what they hold, then as much as time brings", async () => {
    for (let n = 49; n >= 0; n -= 1) expect(await take(limit)).toMatchObject({ allowed: true, remaining: n });
    expect(await take(limit)).toMatchObject({ allowed: false, remaining: 0, moreAfterMs: 20 });
    now += 20;
    expect(await take(limit)).toMatchObject({ allowed: true, remaining: 0 });
    now += 1000;
    expect(await take(limit, 10)).toMatchObject({ allowed: true, remaining: 40 });
  });

  test("a refusal lasts as long as it is to, and what was left comes back meanwhile", async () => {
    const blocking: Limit = { ...limit, name: "blocking", points: 2, seconds: 60, block: 60 };
    await take(blocking, 2);
    expect(await take(blocking)).toMatchObject({ allowed: false, moreAfterMs: 60_000 });
    now += 59_999;
    expect(await take(blocking)).toMatchObject({ allowed: false, moreAfterMs: 1 });
    now += 1;
    expect(await take(blocking)).toMatchObject({ allowed: true });
  });

  test("are not filled by another count of gateways, so that a Redis that comes and goes gives nothing away", async () => {
    const flapping: Limit = { ...limit, name: "flapping" };
    buckets.divide(1);
    expect(await take(flapping, 50)).toMatchObject({ allowed: true });
    buckets.divide(1);
    expect(await take(flapping)).toMatchObject({ allowed: false });
  });

  test("of four gateways each has a quarter", async () => {
    buckets.divide(4);
    const shared: Limit = { ...limit, name: "shared" };
    expect(await take(shared, 12)).toMatchObject({ allowed: true, remaining: 0 });
    expect(await take(shared)).toMatchObject({ allowed: false });
    expect(await take({ ...limit, name: "scarce", points: 2 })).toMatchObject({ allowed: true });
  });
});
