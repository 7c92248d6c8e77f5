import { afterAll, beforeAll, beforeEach, describe, expect, inject, it } from "vitest";
import { ErrorReason } from "#gen/mesh/v1/error_reason_pb.js";
import { revokedChannel } from "#kit/auth/revocations.ts";
import { Code } from "#kit/errors.ts";
import { newId } from "#kit/id.ts";
import { Lifecycle } from "#kit/lifecycle.ts";
import { openRedis } from "#kit/redis/redis.ts";
import { Front } from "../../../cli/runner/fault/front.ts";
import { pickPorts } from "../../../cli/runner/ports.ts";
import { until } from "../../_util/until.ts";
import { type Instance, open, openWatchStage, told, type WatchStage } from "./watch-stage.ts";

let stage: WatchStage;
let instances: [Instance, Instance];

beforeAll(async () => {
  stage = await openWatchStage("watch");
  instances = [await stage.start(), await stage.start()];
});
afterAll(() => stage?.close());

let userId: string;
let as: { headers: { authorization: string } };
beforeEach(() => {
  userId = newId();
  as = stage.as(userId);
});

describe("WatchNotifications [pain.10]", () => {
  it("tells how things are at once, and then of what comes and what is read, whichever instance did it", async () => {
    const [before] = await stage.add([userId]);
    const watch = open(instances[0], {}, as);
    expect(await watch.next()).toMatchObject({ unreadCount: 1, revision: 1n, change: { case: undefined } });

    const [entry] = await stage.add([userId]);
    const created = await watch.next();
    expect([told(created), created.unreadCount, created.revision]).toEqual([`created ${entry}`, 2, 2n]);
    expect(created.change.value).toMatchObject({ title: entry, type: 1 });
    expect(created.change.value?.readTime).toBeUndefined();

    await instances[1].client.markRead({ notificationId: before }, as);
    const updated = await watch.next();
    expect([told(updated), updated.unreadCount, updated.revision]).toEqual([`updated ${before}`, 1, 3n]);
    expect(updated.change.value?.readTime).toBeDefined();
    await watch.leave();
  });

  it("goes on behind a cursor, at any instance, with what happened in between", async () => {
    const watch = open(instances[0], {}, as);
    const { cursor } = await watch.next();
    await watch.leave();
    const [first] = await stage.add([userId]);
    const [second] = await stage.add([userId]);
    await instances[0].client.markRead({ notificationId: first }, as);
    const resumed = open(instances[1], { cursor }, as);
    const messages = [await resumed.next(), await resumed.next(), await resumed.next(), await resumed.next()];
    expect(messages.map(told)).toEqual(["quiet", `created ${first}`, `created ${second}`, `updated ${first}`]);
    await resumed.leave();
  });

  it("takes no cursor of its caller's own making, or of another person", async () => {
    const watch = open(instances[0], {}, stage.as(newId()));
    const { cursor } = await watch.next();
    await watch.leave();
    const refused = { code: Code.INVALID_ARGUMENT, fieldViolations: [{ field: "cursor" }] };
    for (const wrong of [cursor, "7", newId(), "x".repeat(2000)]) {
      await expect(open(instances[0], { cursor: wrong }, as).next()).rejects.toMatchObject(refused);
    }
  });

  it("gives signs of life that carry the cursor while nothing happens", async () => {
    const instance = await stage.start({ NOTIFICATION_HEARTBEAT: "0.05" });
    const watch = open(instance, {}, as);
    const [first, second, third] = [await watch.next(), await watch.next(), await watch.next()];
    expect([first, second, third].map(told)).toEqual(["quiet", "quiet", "quiet"]);
    expect(third.cursor).toBe(first.cursor);
    await watch.leave();
    await instance.stop();
  });

  it("needs nobody to announce a change, only more time", async () => {
    const deaf = await stage.start({ REDIS_URL: "redis://127.0.0.1:1" });
    const watch = open(deaf, {}, as);
    await watch.next();
    const [entry] = await stage.add([userId], { announced: false });
    expect(told(await watch.next())).toBe(`created ${entry}`);
    await watch.leave();
    await deaf.stop();
  });

  // By its signs of life alone it would take a minute.
  it.each(["blackhole", "refuse"] as const)(
    "goes on when Redis is lost under it (%s)",
    async (cut) => {
      const lifecycle = new Lifecycle();
      const redis = openRedis({ url: inject("redis"), lifecycle });
      const url = new URL(inject("redis"));
      // Others subscribe at the same server: this one is known by its name.
      const name = `watch-${cut}`;
      url.searchParams.set("connectionName", name);
      const hearing = async () =>
        String(await redis.call("CLIENT", "LIST", "TYPE", "pubsub")).includes(`name=${name} `);
      const front = await Front.open((await pickPorts(1))[0] as number, Number(url.port));
      url.host = `127.0.0.1:${front.port}`;
      const instance = await stage.start({ REDIS_URL: url.href });
      const watch = open(instance, {}, as);
      await watch.next();
      await until("the instance to hear of changes", hearing);

      await front.poison({ cut });
      const [entry] = await stage.add([userId]);
      expect(told(await watch.next())).toBe(`created ${entry}`);

      await front.poison({});
      await until("the instance to hear of changes again", hearing);
      const [another] = await stage.add([userId]);
      expect(told(await watch.next())).toBe(`created ${another}`);
      await watch.leave();
      await instance.stop();
      await front.close();
      await lifecycle.stop();
    },
    45_000,
  );

  it("needs a token", async () => {
    const refused = { code: Code.UNAUTHENTICATED };
    await expect(open(instances[0], {}, { headers: { authorization: "" } }).next()).rejects.toMatchObject(refused);
  });
});

describe("a stream ends", () => {
  it("when its token expires", async () => {
    const exp = Math.floor(Date.now() / 1000) + 5;
    const watch = open(instances[0], {}, stage.as(userId, { exp }));
    await watch.next();
    await expect(watch.next()).rejects.toMatchObject({
      code: Code.UNAUTHENTICATED,
      reason: ErrorReason.TOKEN_EXPIRED,
    });
    expect(Date.now()).toBeGreaterThanOrEqual(exp * 1000);
  });

  it("when its session is revoked, and no other does", async () => {
    const sid = newId();
    const [watch, other] = [open(instances[0], {}, stage.as(userId, { sid })), open(instances[0], {}, as)];
    await Promise.all([watch.next(), other.next()]);
    const lifecycle = new Lifecycle();
    const redis = openRedis({ url: inject("redis"), lifecycle });
    await redis.publish(revokedChannel, sid);
    await expect(watch.next()).rejects.toMatchObject({
      code: Code.UNAUTHENTICATED,
      reason: ErrorReason.TOKEN_INVALID,
    });
    const [entry] = await stage.add([userId]);
    expect(told(await other.next())).toBe(`created ${entry}`);
    await other.leave();
    await lifecycle.stop();
  });

  it("when the instance closes: the caller may come back at once", async () => {
    const instance = await stage.start();
    const watch = open(instance, {}, as);
    await watch.next();
    const ended = expect(watch.next()).rejects.toMatchObject({
      code: Code.UNAVAILABLE,
      reason: ErrorReason.UNAVAILABLE,
      retryAfterMs: 0,
    });
    await instance.stop();
    await ended;
  });
});

describe("bounds", () => {
  it("a person has so many streams and no more, and a closed one counts no longer", async () => {
    const instance = await stage.start({ NOTIFICATION_WATCHERS_PER_PERSON: "2", NOTIFICATION_WATCHERS: "3" });
    const full = { code: Code.RESOURCE_EXHAUSTED, reason: ErrorReason.RATE_LIMITED };
    const mine = [open(instance, {}, as), open(instance, {}, as)] as const;
    await Promise.all(mine.map((watch) => watch.next()));
    await expect(open(instance, {}, as).next()).rejects.toMatchObject(full);

    const other = open(instance, {}, stage.as(newId()));
    await other.next();
    await expect(open(instance, {}, stage.as(newId())).next()).rejects.toMatchObject(full);

    await mine[0].leave();
    const again = await until("room for another stream", async () => {
      const watch = open(instance, {}, as);
      await watch.next();
      return watch;
    });
    await Promise.all([again, mine[1], other].map((watch) => watch.leave()));
    await instance.stop();
  });
});
