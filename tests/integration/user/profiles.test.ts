import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { AuthService } from "#gen/auth/v1/auth_service_pb.js";
import { ErrorReason } from "#gen/mesh/v1/error_reason_pb.js";
import type { UserService } from "#gen/user/v1/user_service_pb.js";
import { Code } from "#kit/errors.ts";
import type { CallOptions, Client } from "#kit/grpc/client.ts";
import { newId } from "#kit/id.ts";
import { as, insist, newEmail, Pair, password } from "../auth/pair.ts";

let pair: Pair;
let auth: Client<typeof AuthService>;
let user: Client<typeof UserService>;
let asAuth: Client<typeof UserService>;
let asTask: Client<typeof UserService>;

beforeAll(async () => {
  pair = await Pair.start();
  [auth, user, asAuth, asTask] = await Promise.all([pair.auth(), pair.user(), pair.user("auth"), pair.user("task")]);
});
afterAll(() => pair.close());

interface Person {
  userId: string;
  email: string;
  me: CallOptions;
}

async function newPerson(displayName = "Ada"): Promise<Person> {
  const email = newEmail();
  const reply = await insist(() => auth.register({ email, password, displayName }));
  return { userId: reply.user?.userId ?? "", email, me: as(reply.accessToken) };
}

async function eventTypes(userId: string): Promise<string[]> {
  const { rows } = await pair.userDb.query("SELECT sequence, type FROM outbox_event WHERE key = $1 ORDER BY sequence", [
    userId,
  ]);
  return rows.map(({ sequence, type }) => `${sequence} ${type}`);
}

describe("UserService.GetMe", () => {
  it("answers with the caller's own profile", async () => {
    const { userId, email, me } = await newPerson();
    const { user: profile } = await user.getMe({}, me);
    expect(profile).toMatchObject({ userId, email, displayName: "Ada", locale: "en", timeZone: "UTC" });
    expect(profile?.etag).not.toBe("");
    expect(profile?.createTime).toEqual(profile?.updateTime);
  });

  it("is USER_NOT_FOUND for an account whose profile is gone", async () => {
    const { userId, me } = await newPerson();
    await pair.userDb.query("DELETE FROM profile WHERE user_id = $1", [userId]);
    await expect(user.getMe({}, me)).rejects.toMatchObject({
      code: Code.NOT_FOUND,
      reason: ErrorReason.USER_NOT_FOUND,
    });
    await expect(user.updateMe({ user: { locale: "de" } }, me)).rejects.toMatchObject({
      reason: ErrorReason.USER_NOT_FOUND,
    });
  });
});

describe("UserService.UpdateMe", () => {
  it("changes the fields that are given when there is no mask", async () => {
    const { userId, me } = await newPerson();
    const { user: before } = await user.getMe({}, me);
    const { user: after } = await user.updateMe({ user: { locale: "de-ch", timeZone: "europe/zurich" } }, me);
    expect(after).toMatchObject({ displayName: "Ada", locale: "de-CH", timeZone: "Europe/Zurich" });
    expect(after?.etag).not.toBe(before?.etag);
    expect((await user.getMe({}, me)).user).toEqual(after);
    expect(await eventTypes(userId)).toEqual(["1 user.v1.UserCreated", "2 user.v1.UserUpdated"]);
  });

  it("resets a field that the mask names and that is not given, and leaves the others", async () => {
    const { email, me } = await newPerson();
    await user.updateMe({ user: { locale: "de", timeZone: "Europe/Berlin" } }, me);
    const updateMask = { paths: ["display_name", "time_zone"] };
    const { user: after } = await user.updateMe({ user: { displayName: "Grace", locale: "fr" }, updateMask }, me);
    expect(after).toMatchObject({ displayName: "Grace", locale: "de", timeZone: "UTC" });
    const { user: reset } = await user.updateMe({ user: {}, updateMask: { paths: ["*"] } }, me);
    expect(reset).toMatchObject({ displayName: email.split("@")[0], locale: "en", timeZone: "UTC" });
  });

  it.each(["email", "user_id", "password", "create_time", "displayname"])(
    "names %s in a mask as no field",
    async (path) => {
      const { me } = await newPerson();
      const request = { user: { displayName: "Grace" }, updateMask: { paths: ["display_name", path] } };
      await expect(user.updateMe(request, me)).rejects.toMatchObject({
        code: Code.INVALID_ARGUMENT,
        fieldViolations: [{ field: "update_mask", description: expect.stringContaining(`"${path}"`) }],
      });
      expect((await user.getMe({}, me)).user?.displayName).toBe("Ada");
    },
  );

  it.each([
    [{ timeZone: "Mars/Olympus" }, "user.time_zone"],
    [{ timeZone: "+02:00" }, "user.time_zone"],
    [{ locale: "de-1" }, "user.locale"],
    [{ locale: "en-US-US" }, "user.locale"],
    [{ displayName: "   " }, "user.display_name"],
    [{ displayName: "a\nb" }, "user.display_name"],
    [{ displayName: "a".repeat(101) }, "user.display_name"],
  ])("refuses %j by naming the field", async (change, field) => {
    const { me } = await newPerson();
    await expect(user.updateMe({ user: change }, me)).rejects.toMatchObject({
      code: Code.INVALID_ARGUMENT,
      fieldViolations: [{ field }],
    });
  });

  it("needs a user", async () => {
    const { me } = await newPerson();
    await expect(user.updateMe({}, me)).rejects.toMatchObject({ fieldViolations: [{ field: "user" }] });
  });

  it("takes the etag as a field or as If-Match, and refuses one that is stale", async () => {
    const { me } = await newPerson();
    const first = (await user.getMe({}, me)).user?.etag ?? "";
    const ifMatch = (etag: string) => ({ headers: { ...me.headers, "if-match": etag } });
    const { user: second } = await user.updateMe({ user: { displayName: "B", etag: first } }, me);
    const stale = {
      code: Code.ABORTED,
      reason: ErrorReason.ETAG_MISMATCH,
      metadata: { current_etag: second?.etag },
    };
    await expect(user.updateMe({ user: { displayName: "C", etag: first } }, me)).rejects.toMatchObject(stale);
    await expect(user.updateMe({ user: { displayName: "C" } }, ifMatch(`"${first}"`))).rejects.toMatchObject(stale);
    expect((await user.updateMe({ user: { displayName: "C" } }, ifMatch("*"))).user?.displayName).toBe("C");
    const { user: third } = await user.getMe({}, me);
    await user.updateMe({ user: { displayName: "D" } }, ifMatch(`"${third?.etag}"`));
  });

  it("lets one of many writers win who all saw the same profile", async () => {
    const { userId, me } = await newPerson();
    for (let round = 1; round <= 4; round += 1) {
      const etag = (await user.getMe({}, me)).user?.etag ?? "";
      const writes = Array.from({ length: 20 }, (_, index) =>
        user.updateMe({ user: { displayName: `Name ${round} ${index}`, etag } }, me),
      );
      const results = await Promise.allSettled(writes);
      expect(results.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
      expect(await eventTypes(userId)).toHaveLength(round + 1);
    }
  });

  it("makes no event of a change that changes nothing", async () => {
    const { userId, me } = await newPerson();
    const { user: before } = await user.getMe({}, me);
    const { user: after } = await user.updateMe({ user: { displayName: "Ada" } }, me);
    expect(after).toEqual(before);
    expect(await eventTypes(userId)).toEqual(["1 user.v1.UserCreated"]);
  });
});

describe("UserService.LookupUser", () => {
  it("finds a person by the whole address, whatever its case, and tells id and name only", async () => {
    const { me } = await newPerson();
    const other = await newPerson("Grace");
    const { user: found } = await user.lookupUser({ email: other.email.toUpperCase() }, me);
    expect(found).toMatchObject({ userId: other.userId, displayName: "Grace" });
    expect(Object.keys(found ?? {}).filter((key) => !key.startsWith("$"))).toEqual(["userId", "displayName"]);
  });

  it("finds nobody by a part of it, nor who is not to be found", async () => {
    const { email, me } = await newPerson();
    const hidden = newEmail();
    await asAuth.createUser({ userId: newId(), email: hidden, displayName: "H", discoverable: false });
    for (const address of [newEmail(), `x${email}`, hidden]) {
      await expect(user.lookupUser({ email: address }, me)).rejects.toMatchObject({
        code: Code.NOT_FOUND,
        reason: ErrorReason.USER_NOT_FOUND,
      });
    }
    await expect(user.lookupUser({ email: "no address" }, me)).rejects.toMatchObject({
      fieldViolations: [{ field: "email" }],
    });
  });
});

describe("UserService.BatchGetUsers", () => {
  it("answers with the profiles that exist", async () => {
    const [a, b] = await Promise.all([newPerson("A"), newPerson("B")]);
    const { users } = await asTask.batchGetUsers({ userIds: [a.userId, newId(), b.userId, a.userId] });
    expect(users.map(({ email }) => email).sort()).toEqual([a.email, b.email].sort());
  });

  it.each([
    [[], "user_ids"],
    [["no id"], "user_ids[0]"],
    [Array.from({ length: 1001 }, newId), "user_ids"],
  ])("names a list that it cannot take", async (userIds, field) => {
    await expect(asTask.batchGetUsers({ userIds })).rejects.toMatchObject({ fieldViolations: [{ field }] });
  });
});

describe("UserService.CreateUser", () => {
  const request = () => ({ userId: newId(), email: newEmail(), displayName: "Ada", discoverable: true });

  it("makes a profile once, however often and at the same time it is asked", async () => {
    const wanted = request();
    const replies = await Promise.all(Array.from({ length: 20 }, () => asAuth.createUser(wanted)));
    expect(new Set(replies.map((reply) => reply.user?.createTime?.nanos)).size).toBe(1);
    expect(replies[0]?.user).toMatchObject({ userId: wanted.userId, displayName: "Ada" });
    expect(await eventTypes(wanted.userId)).toEqual(["1 user.v1.UserCreated"]);
  });

  it("refuses a second person to be found by one address", async () => {
    const wanted = request();
    await asAuth.createUser(wanted);
    await expect(asAuth.createUser({ ...wanted, userId: newId() })).rejects.toMatchObject({
      code: Code.ALREADY_EXISTS,
      reason: ErrorReason.ALREADY_EXISTS,
    });
  });

  it.each(["userId", "email", "displayName"] as const)("names a missing %s", async (field) => {
    const protoName = field.replace(/[A-Z]/, (letter) => `_${letter.toLowerCase()}`);
    await expect(asAuth.createUser({ ...request(), [field]: "" })).rejects.toMatchObject({
      fieldViolations: [{ field: protoName }],
    });
  });

  it("is open to the auth service alone", async () => {
    for (const stranger of [asTask, user]) {
      await expect(stranger.createUser(request())).rejects.toMatchObject({
        code: Code.PERMISSION_DENIED,
        reason: ErrorReason.CALLER_NOT_ALLOWED,
      });
    }
  });
});
