import { randomBytes } from "node:crypto";
import { afterAll, beforeAll, describe, expect, inject, it } from "vitest";
import type { AuthService } from "#gen/auth/v1/auth_service_pb.js";
import type { UserService } from "#gen/user/v1/user_service_pb.js";
import { AnswerCache } from "#kit/answer-cache/answer-cache.ts";
import { Profiles, profileCache } from "#kit/answer-cache/profiles.ts";
import type { Client } from "#kit/grpc/client.ts";
import { newId } from "#kit/id.ts";
import { Lifecycle } from "#kit/lifecycle.ts";
import { openRedis, type Redis } from "#kit/redis/redis.ts";
import { until } from "../../_util/until.ts";
import { as, insist, newEmail, Pair, password } from "../auth/pair.ts";

let pair: Pair;
let auth: Client<typeof AuthService>;
let user: Client<typeof UserService>;
let redis: Redis;
let profiles: Profiles;
const lifecycle = new Lifecycle();
/** How many people the user service was asked for, each time. */
const asked: number[] = [];

beforeAll(async () => {
  pair = await Pair.start();
  const [asAuth, asGateway, asTask] = await Promise.all([pair.auth(), pair.user(), pair.user("task")]);
  [auth, user] = [asAuth, asGateway];
  redis = openRedis({ url: inject("redis"), lifecycle });
  await until("a connection", () => redis.status === "ready", { everyMs: 5 });
  const batchGetUsers: typeof asTask.batchGetUsers = (request, options) => {
    asked.push(request.userIds?.length ?? 0);
    return asTask.batchGetUsers(request, options);
  };
  const cache = new AnswerCache({ redis, ...profileCache, key: randomBytes(32) });
  profiles = new Profiles({ batchGetUsers }, cache, 3_600_000);
});
afterAll(async () => {
  await lifecycle.stop();
  await pair?.close();
});

async function newPerson() {
  const reply = await insist(() => auth.register({ email: newEmail(), password, displayName: "Ada" }));
  return { userId: reply.user?.userId ?? "", me: as(reply.accessToken) };
}

async function namesOf(...userIds: string[]): Promise<(string | undefined)[]> {
  const found = await profiles.byId(userIds, {});
  return userIds.map((userId) => found.get(userId)?.displayName);
}

describe("profiles that others keep", () => {
  it("are asked for once, and again after each change of theirs", async () => {
    const { userId, me } = await newPerson();
    await until("the profile to be kept", async () => {
      asked.length = 0;
      expect(await namesOf(userId)).toEqual(["Ada"]);
      return asked.length === 0;
    });
    const left = await redis.pttl(`user:${userId}`);
    expect(left).toBeGreaterThan(3_000_000);
    expect(left).toBeLessThanOrEqual(3_600_000);
    for (const displayName of ["Grace", "Joan", "Hedy"]) {
      await user.updateMe({ user: { displayName } }, me);
      expect(await namesOf(userId)).toEqual([displayName]);
      expect(await namesOf(userId)).toEqual([displayName]);
    }
  });

  it("are asked for only where they are not known, and somebody who is nobody each time", async () => {
    const [first, second] = await Promise.all([newPerson(), newPerson()]);
    await until("the first to be kept", async () => {
      asked.length = 0;
      await namesOf(first.userId);
      return asked.length === 0;
    });
    const nobody = newId();
    expect(await namesOf(first.userId, second.userId, nobody, first.userId)).toEqual(["Ada", "Ada", undefined, "Ada"]);
    expect(asked).toEqual([2]);
    expect(await namesOf(nobody)).toEqual([undefined]);
    expect(asked).toEqual([2, 1]);
  });
});
