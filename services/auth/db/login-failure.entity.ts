import { defineEntity, p } from "@mikro-orm/core";

/** How often a sign-in with one address from one network failed, by a digest of both. */
export const LoginFailureEntity = defineEntity({
  name: "LoginFailure",
  tableName: "login_failure",
  properties: {
    key: p.text().primary(),
    /** Only grows, until the row goes. */
    failures: p.integer(),
    /** How many of them came before the last success with any account of the address. */
    forgiven: p.integer(),
    lastTime: p.datetime().columnType("timestamptz(3)").index(),
  },
});

/** How many of those failures came before the last success with one account, by a digest of account and network. */
export const LoginForgivenEntity = defineEntity({
  name: "LoginForgiven",
  tableName: "login_forgiven",
  properties: {
    key: p.text().primary(),
    failureKey: () => p.manyToOne(LoginFailureEntity).mapToPk().fieldName("failure_key").deleteRule("cascade").index(),
    failures: p.integer(),
  },
});
