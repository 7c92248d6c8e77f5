import { LockMode } from "@mikro-orm/core";
import type { Database, EntityManager } from "#kit/db/database.ts";
import { statement } from "#kit/db/statement.ts";
import { type Profile, ProfileEntity } from "./profile.entity.ts";

/** A profile as it is read; who may find it by its address is no part of it. */
export type ProfileRow = Omit<Profile, "emailKey" | "discoverable">;

const columns = `user_id AS "userId", email, display_name AS "displayName", locale, time_zone AS "timeZone", revision,
  create_time AS "createTime", update_time AS "updateTime"`;

const byId = statement("user-profile-by-id", `SELECT ${columns} FROM profile WHERE user_id = $1`);
const byIds = statement("user-profiles-by-id", `SELECT ${columns} FROM profile WHERE user_id = ANY ($1::uuid[])`);
const byEmail = statement(
  "user-profile-by-email",
  `SELECT ${columns} FROM profile WHERE email_key = $1 AND discoverable`,
);

export async function profileById(
  database: Database,
  userId: string,
  signal: AbortSignal,
): Promise<ProfileRow | undefined> {
  const [profile] = await database.query<ProfileRow>(byId, [userId], { signal });
  return profile;
}

export function profilesByIds(database: Database, userIds: string[], signal: AbortSignal): Promise<ProfileRow[]> {
  return database.query<ProfileRow>(byIds, [userIds], { signal });
}

/** The one discoverable profile with this address. */
export async function profileByEmail(
  database: Database,
  emailKey: string,
  signal: AbortSignal,
): Promise<ProfileRow | undefined> {
  const [profile] = await database.query<ProfileRow>(byEmail, [emailKey], { signal });
  return profile;
}

/** The profile, locked until the transaction ends. */
export function lockProfile(em: EntityManager, userId: string): Promise<Profile | null> {
  return em.findOne(ProfileEntity, { userId }, { lockMode: LockMode.PESSIMISTIC_WRITE });
}

/** Adds a profile at once. A user id or discoverable address that is there already fails with a unique violation. */
export async function addProfile(em: EntityManager, profile: Profile): Promise<void> {
  await em.persist(em.create(ProfileEntity, profile)).flush();
}
