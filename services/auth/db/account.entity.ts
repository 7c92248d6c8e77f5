import { defineEntity, type InferEntity, p } from "@mikro-orm/core";
import type { Tier } from "../domain/account.ts";

/** Who can sign in with which credentials. What others see of a person is the user service's. */
export const AccountEntity = defineEntity({
  name: "Account",
  tableName: "account",
  uniques: [{ name: "account_owned_email", properties: ["emailKey"], where: "owns_email" }],
  indexes: [{ name: "account_unowned_email", properties: ["emailKey", "passwordHash"], where: "NOT owns_email" }],
  properties: {
    userId: p.uuid().primary(),
    /** As typed when registering. */
    email: p.text(),
    /** What addresses are compared by. */
    emailKey: p.text(),
    /** False where somebody else has the address already: such an account works, and nobody finds it by the address. */
    ownsEmail: p.boolean(),
    /** A PHC string. */
    passwordHash: p.text(),
    /** Kept only until the user service has made the profile. */
    displayName: p.text().nullable(),
    profileCreated: p.boolean(),
    /** The sequence of the newest event of this account. */
    eventSequence: p.bigint(),
    /** When the owner was last told that somebody tried to register the address. */
    attemptNoticeTime: p.datetime().columnType("timestamptz(3)").nullable(),
    createTime: p.datetime().columnType("timestamptz(3)"),
    /** "standard" or "premium": what its tokens say of it. */
    tier: p.text().$type<Tier>().default("standard"),
    lastLoginTime: p.datetime().columnType("timestamptz(3)").nullable(),
  },
});

export type Account = InferEntity<typeof AccountEntity>;
