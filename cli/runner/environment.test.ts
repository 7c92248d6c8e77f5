import { expect, test } from "vitest";
import { environmentOf, type Surroundings } from "./environment.ts";
import { replicaFor } from "./mesh-plan.ts";

const names = ["auth", "user", "task", "notification"] as const;
const urls = (host: string) => Object.fromEntries(names.map((name) => [name, `postgres://${host}/${name}`]));
const surroundings = {
  keys: { identity: {} },
  databases: urls("primary"),
  readDatabases: urls("replica"),
} as unknown as Surroundings;

test("a service is told of its database and of the replica that answers its reads, the consumers of no replica", () => {
  expect(environmentOf("task", "task-1", {}, surroundings)).toMatchObject({
    TASK_DB_URL: "postgres://primary/task",
    TASK_DB_READ_URL: "postgres://replica/task",
  });
  const consumers = environmentOf("consumers", "consumers-1", {}, surroundings);
  expect(consumers.NOTIFICATION_DB_URL).toBe("postgres://primary/notification");
  expect(Object.keys(consumers).filter((name) => name.endsWith("_DB_READ_URL"))).toEqual([]);
  const without = environmentOf("task", "task-1", {}, { ...surroundings, readDatabases: {} });
  expect(without).not.toHaveProperty("TASK_DB_READ_URL");
});

test("of two replicas the first answers auth and the second all others; one alone answers all, none nobody", () => {
  const among = (...replicas: string[]) => names.map((name) => replicaFor(name, replicas));
  expect(among("one", "two")).toEqual(["one", "two", "two", "two"]);
  expect(among("one")).toEqual(["one", "one", "one", "one"]);
  expect(among()).toEqual([undefined, undefined, undefined, undefined]);
});
