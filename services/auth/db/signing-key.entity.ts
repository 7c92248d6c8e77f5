import { defineEntity, type InferEntity, p } from "@mikro-orm/core";

/** A key that signs access tokens during its turn; the private part is encrypted. */
export const SigningKeyEntity = defineEntity({
  name: "SigningKey",
  tableName: "signing_key",
  properties: {
    kid: p.text().primary(),
    publicX: p.text(),
    privateSealed: p.blob().$type<Buffer>(),
    signFrom: p.datetime().columnType("timestamptz(3)"),
    signUntil: p.datetime().columnType("timestamptz(3)"),
    createTime: p.datetime().columnType("timestamptz(3)"),
  },
});

export type SigningKeyRow = InferEntity<typeof SigningKeyEntity>;
