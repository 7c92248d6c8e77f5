import { defineEntity, type InferEntity, p } from "@mikro-orm/core";
import { AccountEntity } from "./account.entity.ts";

/** A key by which a program acts for its owner. */
export const ApiKeyEntity = defineEntity({
  name: "ApiKey",
  tableName: "api_key",
  indexes: [{ properties: ["revokedTime"], where: "revoked_time IS NOT NULL" }],
  properties: {
    apiKeyId: p.uuid().primary(),
    userId: () => p.manyToOne(AccountEntity).mapToPk().fieldName("user_id").deleteRule("cascade").index(),
    name: p.text(),
    scopes: p.array().columnType("text[]"),
    /** SHA-256 of the whole key, which has full entropy. */
    keyHash: p.blob().$type<Buffer>(),
    createTime: p.datetime().columnType("timestamptz(3)"),
    expireTime: p.datetime().columnType("timestamptz(3)").index(),
    lastUsedTime: p.datetime().columnType("timestamptz(3)").nullable(),
    revokedTime: p.datetime().columnType("timestamptz(3)").nullable(),
    /** When the owner was told that it ends soon. */
    noticeTime: p.datetime().columnType("timestamptz(3)").nullable(),
  },
});

export type ApiKeyRow = InferEntity<typeof ApiKeyEntity>;
