import { afterAll, beforeAll, expect, it } from "vitest";
import { ErrorReason } from "#gen/mesh/v1/error_reason_pb.js";
import { UserService } from "#gen/user/v1/user_service_pb.js";
import { newId } from "#kit/id.ts";
import { as, newEmail, Pair, password } from "../auth/pair.ts";

let pair: Pair;
beforeAll(async () => {
  pair = await Pair.start();
});
afterAll(() => pair.close());

it("a repeated key answers UpdateMe as the first call did, and changes nothing", async () => {
  const { accessToken, user } = await (await pair.auth()).register({ email: newEmail(), password, displayName: "Ada" });
  const client = await pair.clientAt(UserService, pair.address("user"));
  const key = newId();
  const update = async (displayName: string, etag: string | undefined) => {
    let replayed = false;
    const { user: answered } = await client.updateMe(
      { user: { displayName, etag } },
      {
        headers: { ...as(accessToken).headers, "idempotency-key": key },
        onHeader: (headers) => {
          replayed = headers["idempotency-replayed"] === "true";
        },
      },
    );
    return { user: answered, replayed };
  };
  const first = await update("Countess", user?.etag);
  expect(first).toMatchObject({ replayed: false, user: { displayName: "Countess" } });
  // Its etag is stale by now: only a stored answer can tell that it was done.
  expect(await update("Countess", user?.etag)).toEqual({ user: first.user, replayed: true });
  await expect(update("Lady", user?.etag)).rejects.toMatchObject({ reason: ErrorReason.IDEMPOTENCY_KEY_REUSED });
  const { rows } = await pair.userDb.query(
    "SELECT type FROM outbox_event WHERE key = $1 AND type = 'user.v1.UserUpdated'",
    [user?.userId],
  );
  expect(rows).toHaveLength(1);
});
