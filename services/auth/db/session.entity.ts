import { defineEntity, type InferEntity, p } from "@mikro-orm/core";
import { AccountEntity } from "./account.entity.ts";

/** One sign-in and the family of refresh tokens that came of it. */
export const SessionEntity = defineEntity({
  name: "Session",
  tableName: "session",
  indexes: [{ properties: ["revokedTime"], where: "revoked_time IS NOT NULL" }],
  properties: {
    sessionId: p.uuid().primary(),
    userId: () => p.manyToOne(AccountEntity).mapToPk().fieldName("user_id").deleteRule("cascade").index(),
    createTime: p.datetime().columnType("timestamptz(3)"),
    lastUsedTime: p.datetime().columnType("timestamptz(3)"),
    /** Moves on with each refresh. */
    expireTime: p.datetime().columnType("timestamptz(3)").index(),
    revokedTime: p.datetime().columnType("timestamptz(3)").nullable(),
  },
});

export type Session = InferEntity<typeof SessionEntity>;
