import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { type DescMessage, fromBinary, type Message } from "@bufbuild/protobuf";
import { Redis } from "ioredis";
import pg from "pg";
import { AuthEventSchema } from "#gen/auth/v1/auth_events_pb.js";
import { AlertEventSchema } from "#gen/notification/v1/alert_events_pb.js";
import { DeliveryEventSchema } from "#gen/notification/v1/delivery_events_pb.js";
import { TaskEventSchema } from "#gen/task/v1/task_events_pb.js";
import { UserEventSchema } from "#gen/user/v1/user_events_pb.js";
import { findHome } from "../../cli/runner/home.ts";
import { kafkaOf } from "../_util/kafka.ts";
import type { TestMesh } from "../_util/mesh.ts";
import { until } from "../_util/until.ts";
import type { Canary } from "./canaries.ts";
import { ask } from "./jaeger-spans.ts";

/** Something that was kept somewhere: where, and its text. */
export interface Kept {
  place: string;
  text: string;
}

/** Every canary that stands in what was kept: "envoy.log: title". */
export function hits(kept: readonly Kept[], canaries: readonly Canary[]): string[] {
  const found = kept.flatMap(({ place, text }) =>
    canaries.filter((canary) => text.includes(canary.text)).map(({ kind }) => `${place}: ${kind}`),
  );
  return [...new Set(found)].sort();
}

/** All log files of the mesh, those of the parts and of the runner too. */
export function logsOf({ environment }: TestMesh): Kept[] {
  const { logs } = findHome(environment.MESH_HOME);
  return readdirSync(logs).map((file) => ({ place: file, text: readFileSync(join(logs, file), "utf8") }));
}

/** Everything that Jaeger keeps, as it answers it. */
export async function tracesOf({ jaeger }: TestMesh): Promise<Kept[]> {
  const { data } = JSON.parse(await ask(`${jaeger}/api/services`)) as { data: string[] };
  const texts = data.map((service) => ask(`${jaeger}/api/traces?service=${service}&limit=10000&lookback=1h`));
  return (await Promise.all(texts)).map((text, index) => ({ place: `spans of ${data[index]}`, text }));
}

/** The metrics of all processes, and the pages of Envoy that count. */
export async function metricsOf(mesh: TestMesh): Promise<Kept[]> {
  const { instances } = await mesh.status();
  const pages = instances.flatMap(({ name, ports }) =>
    ports.admin === undefined ? [] : [{ place: `metrics of ${name}`, url: `http://127.0.0.1:${ports.admin}/metrics` }],
  );
  for (const page of ["stats", "stats/prometheus", "clusters"]) {
    pages.push({ place: `Envoy's ${page}`, url: `${mesh.admin}/${page}` });
  }
  return Promise.all(
    pages.map(async ({ place, url }) => {
      const headers = { accept: "application/openmetrics-text; version=1.0.0" };
      return { place, text: await (await fetch(url, { headers })).text() };
    }),
  );
}

/** Keys and values of Redis. */
export async function redisOf(mesh: TestMesh): Promise<Kept[]> {
  const redis = new Redis({ port: await portOf(mesh, "redis", "redis"), host: "127.0.0.1" });
  try {
    const keys = await redis.keys("*");
    const values = await Promise.all(keys.map((key) => valueAt(redis, key)));
    return [{ place: "Redis", text: `${keys.join("\n")}\n${values.join("\n")}` }];
  } finally {
    redis.disconnect();
  }
}

async function valueAt(redis: Redis, key: string): Promise<string> {
  switch (await redis.type(key)) {
    case "string":
      return (await redis.get(key)) ?? "";
    case "hash":
      return JSON.stringify(await redis.hgetall(key));
    case "set":
      return JSON.stringify(await redis.smembers(key));
    case "zset":
      return JSON.stringify(await redis.zrange(key, "0", "-1"));
    case "list":
      return JSON.stringify(await redis.lrange(key, 0, -1));
    default:
      return "";
  }
}

/** All rows of all databases, as PostgreSQL prints them. */
export async function databasesOf(mesh: TestMesh): Promise<Kept[]> {
  const password = readFileSync(join(findHome(mesh.environment.MESH_HOME).keys, "postgres-password"), "utf8").trim();
  const port = await portOf(mesh, "postgres", "sql");
  const each = ["auth", "user", "task", "notification"].map(async (database) => {
    const client = new pg.Client({ host: "127.0.0.1", port, user: "postgres", password, database });
    await client.connect();
    try {
      const { rows } = await client.query<{ name: string }>(
        "SELECT quote_ident(table_name) AS name FROM information_schema.tables WHERE table_schema = 'public'",
      );
      const tables: Kept[] = [];
      for (const { name } of rows) {
        const { rows: lines } = await client.query<{ text: string }>(`SELECT t::text AS text FROM ${name} t`);
        tables.push({ place: `${database}.${name}`, text: lines.map(({ text }) => withBytes(text)).join("\n") });
      }
      return tables;
    } finally {
      await client.end();
    }
  });
  return (await Promise.all(each)).flat();
}

/** Binary columns are printed in hexadecimal. */
function withBytes(row: string): string {
  return row.replaceAll(/\\x((?:[0-9a-f]{2})+)/g, (_all, hex: string) => Buffer.from(hex, "hex").toString("latin1"));
}

const envelopes: readonly DescMessage[] = [
  TaskEventSchema,
  AuthEventSchema,
  UserEventSchema,
  DeliveryEventSchema,
  AlertEventSchema,
];

/** Every record of every topic: its headers and key, and each text of its event by the name of the field. */
export async function topicsOf(mesh: TestMesh): Promise<{ headers: Kept[]; fields: Kept[]; raw: Kept[] }> {
  const kafka = await kafkaOf(mesh);
  const [admin, consumer] = [kafka.admin(), kafka.consumer({ groupId: `scan-${Date.now()}` })];
  const kept = { headers: [] as Kept[], fields: [] as Kept[], raw: [] as Kept[] };
  await Promise.all([admin.connect(), consumer.connect()]);
  try {
    const topics = (await admin.listTopics()).filter((topic) => !topic.startsWith("__"));
    const offsets = await Promise.all(topics.map((topic) => admin.fetchTopicOffsets(topic)));
    const count = offsets.flat().reduce((sum, { high, low }) => sum + Number(high) - Number(low), 0);
    await consumer.subscribe({ topics, fromBeginning: true });
    await consumer.run({
      eachMessage: async ({ topic, message: { key, value, headers } }) => {
        const told = Object.entries(headers ?? {}).map(([name, text]) => `${name}=${String(text)}`);
        kept.headers.push({ place: `headers of ${topic}`, text: [...told, String(key)].join("\n") });
        kept.raw.push({ place: topic, text: value?.toString("latin1") ?? "" });
        kept.fields.push(...fieldsOf(topic, String(headers?.ce_type), value ?? Buffer.alloc(0)));
      },
    });
    await until("all records to be read", () => kept.raw.length >= count, { timeoutMs: 30_000 });
    return kept;
  } finally {
    await Promise.all([admin.disconnect(), consumer.disconnect()]);
  }
}

function fieldsOf(topic: string, type: string, value: Uint8Array): Kept[] {
  const envelope = envelopes.find(({ fields }) => fields.some(({ message }) => message?.typeName === type));
  try {
    return envelope === undefined ? [] : textsOf(envelope, fromBinary(envelope, value), topic);
  } catch {
    return [];
  }
}

function textsOf(desc: DescMessage, message: Message, path: string): Kept[] {
  const values = message as Message & Record<string, unknown>;
  return desc.fields.flatMap((field) => {
    const choice = field.oneof && (values[field.oneof.localName] as { case?: string; value?: unknown });
    const value = choice ? (choice.case === field.localName ? choice.value : undefined) : values[field.localName];
    const place = `${path} ${field.name}`;
    return (Array.isArray(value) ? value : [value]).flatMap((item): Kept[] => {
      if (typeof item === "string") return [{ place, text: item }];
      return field.message && item !== undefined ? textsOf(field.message, item as Message, place) : [];
    });
  });
}

async function portOf(mesh: TestMesh, part: string, port: string): Promise<number> {
  const found = (await mesh.status()).instances.find(({ name }) => name === part)?.ports[port];
  if (found === undefined) throw new Error(`${part} has no port ${port}`);
  return found;
}
