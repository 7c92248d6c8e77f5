import { defineEntity, type InferEntity, p } from "@mikro-orm/core";

/** A person, as the person and others see it. */
export const ProfileEntity = defineEntity({
  name: "Profile",
  tableName: "profile",
  uniques: [{ name: "profile_discoverable_email", properties: ["emailKey"], where: "discoverable" }],
  properties: {
    userId: p.uuid().primary(),
    /** As registered; the auth service has the original. */
    email: p.text(),
    /** What addresses are compared by. */
    emailKey: p.text(),
    displayName: p.text(),
    locale: p.text(),
    timeZone: p.text(),
    /** Whether others find the person by the address. */
    discoverable: p.boolean(),
    /** Counts the changes from 1: the etag, and the sequence of the event that tells of the change. */
    revision: p.bigint(),
    createTime: p.datetime().columnType("timestamptz(3)"),
    updateTime: p.datetime().columnType("timestamptz(3)"),
  },
});

export type Profile = InferEntity<typeof ProfileEntity>;
