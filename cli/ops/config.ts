import { type EnvSchema, env, readEnv } from "#kit/env.ts";
import { UserError } from "../user-error.ts";
import type { NamedService } from "./dns-source.ts";

const webSchemes = ["http", "https"];

export const environment = {
  host: env.host("HOST", { default: "127.0.0.1" }),
  port: env.port("OPS_PORT", { default: 9902 }),
  token: env.secretFile("OPS_TOKEN_FILE"),
  hosts: env.list("OPS_HOSTS", { default: [] }),
  services: env.list("SERVICES"),
  brokers: env.addresses("KAFKA_BROKERS"),
  redisUrl: env.optional(env.url("REDIS_URL", ["redis", "rediss"])),
  postgresUrl: env.optional(env.url("POSTGRES_URL", ["postgres", "postgresql"])),
  envoyUrl: env.optional(env.url("ENVOY_ADMIN_URL", webSchemes)),
  jaegerUrl: env.optional(env.url("JAEGER_QUERY_URL", webSchemes)),
} satisfies EnvSchema;

/** What the ops server of a mesh in containers is told. */
export function readOpsConfig(source: Record<string, string | undefined> = process.env) {
  const { services, hosts, ...read } = readEnv(environment, source);
  if (read.token.length < 32) throw new UserError("OPS_TOKEN_FILE is wrong: its file must hold 32 characters or more");
  return { ...read, hosts: hosts.map((name) => name.toLowerCase()), services: services.map(readService) };
}

/** `auth:9464` is the service auth at port 9464 of everybody called auth; `auth=host:9464` of everybody called host. */
function readService(text: string): NamedService {
  const [, name, host = "", port = ""] = /^(?:([a-z-]+)=)?([\w.-]+):(\d{1,5})$/.exec(text) ?? [];
  if (host === "") throw new UserError(`SERVICES is wrong: write it as auth:9464,task:9464 and not as "${text}"`);
  return { name: name ?? host, host, port: Number(port) };
}
