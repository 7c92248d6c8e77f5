import { create, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import { UserEventSchema } from "#gen/user/v1/user_events_pb.js";
import { touches } from "#kit/answer-cache/touches.ts";
import type { EntityManager } from "#kit/db/database.ts";
import { appendOutbox } from "#kit/events/outbox.ts";
import { topics } from "#kit/events/topics.ts";
import { newId } from "#kit/id.ts";
import type { Profile } from "./db/profile.entity.ts";
import { type ProfileField, protoNames } from "./domain/profile.ts";

type Fact = NonNullable<MessageInitShape<typeof UserEventSchema>["fact"]>;

export function userCreated(em: EntityManager, profile: Profile): Promise<void> {
  const { displayName } = profile;
  return append(em, profile, "user.v1.UserCreated", { case: "userCreated", value: { displayName } });
}

/** The profile must be locked by the transaction and have its new revision. */
export function userUpdated(em: EntityManager, profile: Profile, changed: ProfileField[]): Promise<void> {
  const changedFields = changed.map((field) => protoNames[field]);
  return append(em, profile, "user.v1.UserUpdated", { case: "userUpdated", value: { changedFields } });
}

async function append(em: EntityManager, profile: Profile, type: string, fact: Fact): Promise<void> {
  const { userId, revision: sequence, updateTime: occurTime } = profile;
  touches([userId]);
  const eventId = newId();
  const event = create(UserEventSchema, { eventId, sequence, occurTime: timestampFromDate(occurTime), userId, fact });
  const payload = toBinary(UserEventSchema, event);
  await appendOutbox(em, { topic: topics.userEvents, key: userId, eventId, type, sequence, payload, occurTime });
}
