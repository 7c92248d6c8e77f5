import { describe, expect, it } from "vitest";
import { type EnvSchema, readEnv } from "#kit/env.ts";
import { unneededVariables } from "#kit/env-aliases.ts";
import { processes, processNames } from "../../cli/topology.ts";
import { schemas } from "./env-example.ts";

const members = processNames.filter((name) => processes[name].member);

/** What a process has from its deployment, and nobody configures. */
const mesh = {
  MESH_ADDRESS: "envoy:15001",
  MESH_IDENTITY_KEY_FILE: import.meta.filename,
  MESH_IDENTITY_JWKS_FILE: import.meta.filename,
  AUTH_KEY_SECRET_FILE: import.meta.filename,
  PUSH_VAPID_KEY_FILE: import.meta.filename,
  WEBHOOK_KEY_SECRET_FILE: import.meta.filename,
  KAFKA_BROKERS: "kafka:9092",
  SMTP_URL: "smtp://mail:25",
  MAIL_FROM: "no-reply@example.org",
  PUBLIC_URL: "https://tasks.example.org",
};
// Their content is that of a secret, which this file is not.
const secrets = ["AUTH_KEY_SECRET_FILE", "WEBHOOK_KEY_SECRET_FILE"];
const withoutSecret = ({ ...schema }: EnvSchema): EnvSchema =>
  Object.fromEntries(Object.entries(schema).filter(([, { variable }]) => !secrets.includes(variable)));

/** What all processes make of an environment: one that lacks something throws. */
const readAll = (given: Record<string, string>) =>
  Object.fromEntries(
    members.map((name) => [name, readEnv(withoutSecret(schemas[name] as EnvSchema), { ...mesh, ...given })]),
  );

/** The variables without which every process reads the same, and of which nobody is told that they are not needed. */
function ignored(given: Record<string, string>): string[] {
  const told = unneededVariables(given).map((line) => line.split(" ")[0]);
  const whole = JSON.stringify(readAll(given));
  return Object.keys(given).filter((name) => {
    const { [name]: _left, ...rest } = given;
    try {
      return !told.includes(name) && JSON.stringify(readAll(rest)) === whole;
    } catch {
      // Something cannot start without it.
      return false;
    }
  });
}

describe("an environment that was made for another system", () => {
  it("with one URL of a database, secrets of tokens and the address of the front end starts every process [002.10]", () => {
    const given = {
      DATABASE_URL: "postgresql://user:password@host:5432/db?sslmode=require",
      REDIS_URL: "redis://redis:6379",
      NODE_ENV: "production",
      PORT: "3001",
      JWT_ACCESS_SECRET: "your-secure-access-secret",
      JWT_REFRESH_SECRET: "your-secure-refresh-secret",
      FRONTEND_URL: "https://yourdomain.com",
    };
    const read = readAll(given);
    for (const name of members.filter((one) => one !== "gateway")) {
      expect(read[name]).toMatchObject({ databaseUrl: given.DATABASE_URL, redisUrl: given.REDIS_URL });
    }
    for (const name of ["auth", "user", "task", "notification"]) expect(read[name]).toMatchObject({ grpcPort: 3001 });
    expect(read.gateway).toMatchObject({
      redisUrl: given.REDIS_URL,
      httpPort: 3001,
      nodeEnv: "production",
      corsOrigins: ["https://yourdomain.com"],
    });
    expect(ignored(given)).toEqual([]);
  });

  it("with the parts of addresses, the life of a token and the places of services starts every process [004.08]", () => {
    const given = {
      DATABASE_HOST: "postgres-master",
      DATABASE_READ_HOST: "postgres-replica",
      DATABASE_PORT: "5433",
      DATABASE_USERNAME: "love",
      DATABASE_PASSWORD: "password",
      DATABASE_NAME: "loveapp",
      REDIS_HOST: "redis-cluster",
      REDIS_PORT: "6380",
      JWT_SECRET: "your-super-secure-secret",
      JWT_EXPIRES_IN: "20m",
      AUTH_SERVICE_HOST: "auth-service",
      AUTH_SERVICE_PORT: "3001",
      NOTIFICATION_SERVICE_HOST: "notification-service",
      NOTIFICATION_SERVICE_PORT: "3002",
      SOS_SERVICE_HOST: "sos-service",
      SOS_SERVICE_PORT: "3003",
    };
    const read = readAll(given);
    for (const name of members) expect(read[name]).toMatchObject({ redisUrl: "redis://redis-cluster:6380" });
    for (const name of members.filter((one) => one !== "gateway")) {
      expect(read[name]).toMatchObject({ databaseUrl: "postgres://love:password@postgres-master:5433/loveapp" });
    }
    expect(read.auth).toMatchObject({ accessTokenTtl: 1_200 });
    expect(ignored(given)).toEqual([]);
    const [auth, notification] = [
      { ...given, PORT: "3001" },
      { ...given, PORT: "3002" },
    ].map(readAll);
    expect([auth?.auth, notification?.notification]).toMatchObject([{ grpcPort: 3001 }, { grpcPort: 3002 }]);
  });
});
