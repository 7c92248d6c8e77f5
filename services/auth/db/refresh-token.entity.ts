import { defineEntity, p } from "@mikro-orm/core";
import { SessionEntity } from "./session.entity.ts";

/** A refresh token by its digest; a used one stays until it expires, so that its reuse is recognised. */
export const RefreshTokenEntity = defineEntity({
  name: "RefreshToken",
  tableName: "refresh_token",
  properties: {
    tokenHash: p.text().primary(),
    sessionId: () => p.manyToOne(SessionEntity).mapToPk().fieldName("session_id").deleteRule("cascade").index(),
    createTime: p.datetime().columnType("timestamptz(3)"),
    expireTime: p.datetime().columnType("timestamptz(3)").index(),
    usedTime: p.datetime().columnType("timestamptz(3)").nullable(),
    /** The token that it was traded for, readable only with this one. */
    successorSealed: p.blob().$type<Buffer>().nullable(),
  },
});
