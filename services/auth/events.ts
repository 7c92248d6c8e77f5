import { create, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import { AuthEventSchema } from "#gen/auth/v1/auth_events_pb.js";
import type { EntityManager } from "#kit/db/database.ts";
import { appendOutbox } from "#kit/events/outbox.ts";
import { topics } from "#kit/events/topics.ts";
import { newId } from "#kit/id.ts";
import type { Account } from "./db/account.entity.ts";

type Fact = NonNullable<MessageInitShape<typeof AuthEventSchema>["fact"]>;

/** The account must be locked by the transaction, or be made in it. */
export function accountRegistered(em: EntityManager, account: Account, { occurTime }: { occurTime: Date }) {
  return append(em, account, "auth.v1.AccountRegistered", { case: "accountRegistered", value: {} }, occurTime);
}

export function registrationAttempted(em: EntityManager, owner: Account, { occurTime }: { occurTime: Date }) {
  return append(em, owner, "auth.v1.RegistrationAttempted", { case: "registrationAttempted", value: {} }, occurTime);
}

interface SessionFact {
  sessionId: string;
  occurTime: Date;
}

export function sessionRevoked(em: EntityManager, account: Account, { sessionId, occurTime }: SessionFact) {
  return append(em, account, "auth.v1.SessionRevoked", { case: "sessionRevoked", value: { sessionId } }, occurTime);
}

export function refreshTokenReused(em: EntityManager, account: Account, { sessionId, occurTime }: SessionFact) {
  const fact: Fact = { case: "refreshTokenReused", value: { sessionId } };
  return append(em, account, "auth.v1.RefreshTokenReused", fact, occurTime);
}

/** The key is named by what its owner calls it. */
export function apiKeyExpiring(
  em: EntityManager,
  account: Account,
  { apiKeyId, name, expireTime, occurTime }: { apiKeyId: string; name: string; expireTime: Date; occurTime: Date },
) {
  const value = { apiKeyId, name, expireTime: timestampFromDate(expireTime) };
  return append(em, account, "auth.v1.ApiKeyExpiring", { case: "apiKeyExpiring", value }, occurTime);
}

async function append(em: EntityManager, account: Account, type: string, fact: Fact, occurTime: Date): Promise<void> {
  account.eventSequence += 1n;
  const { userId, eventSequence: sequence } = account;
  const eventId = newId();
  const event = create(AuthEventSchema, {
    eventId,
    sequence,
    occurTime: timestampFromDate(occurTime),
    userId,
    fact,
  });
  const payload = toBinary(AuthEventSchema, event);
  await appendOutbox(em, { topic: topics.authEvents, key: userId, eventId, type, sequence, payload, occurTime });
}
