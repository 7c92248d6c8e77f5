import pg from "pg";
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import { Role } from "#gen/task/v1/task_pb.js";
import { WriteMarks } from "#kit/consistency/marks.ts";
import { consistencyHeader } from "#kit/consistency/token.ts";
import { ReadReplica } from "#kit/db/read-replica.ts";
import { Code } from "#kit/errors.ts";
import { newId } from "#kit/id.ts";
import { until } from "../../_util/until.ts";
import { type Caller, refusal, startStage, type TaskStage } from "../task/service.ts";
import { ReplicaStage } from "./replica-stage.ts";

let servers: ReplicaStage;
let stage: TaskStage;
let ada: Caller;
let bob: Caller;

beforeAll(async () => {
  servers = await ReplicaStage.start();
  // So far behind that a replica which is halted for a test still counts as near enough.
  stage = await startStage("replica reads", await over("60"));
  ada = stage.person("Ada");
  bob = stage.person("Bob");
});
afterAll(async () => {
  await stage?.close();
  await servers?.stop();
});
afterEach(() => vi.restoreAllMocks());

async function over(maxLag: string) {
  const { url, readUrl } = await servers.database("task");
  const environment = { TASK_DB_READ_URL: readUrl, DB_READ_MAX_LAG: maxLag };
  return { database: { url, drop: async () => {} }, environment };
}

/** A task of Ada's that Bob sees, as the replica shows it. */
async function sharedTask(): Promise<string> {
  const { task } = await ada.client.createTask({ task: { title: "before" } }, ada.as());
  const taskId = task?.taskId ?? "";
  await ada.client.shareTask({ taskId, email: bob.email, role: Role.EDITOR }, ada.as());
  await shown();
  return taskId;
}

/** Resolves once the replica shows all that was written, and answers reads. */
async function shown(): Promise<void> {
  const [{ position } = { position: "0/0" }] = await servers.ask<{ position: string }>(
    "primary",
    "SELECT pg_current_wal_flush_lsn()::text AS position",
  );
  await until("the replica to follow", async () => {
    const rows = await servers.ask<{ shown: boolean }>(
      "replica",
      "SELECT pg_last_wal_replay_lsn() >= $1::pg_lsn AS shown",
      [position],
    );
    return rows[0]?.shown;
  });
  await until("the replica to be read", () => readsReplica(stage.person("Eve")));
}

/** Whether a read of somebody who has written nothing is answered by the replica. */
async function readsReplica(person: Caller): Promise<boolean> {
  const query = vi.spyOn(ReadReplica.prototype, "query").mockClear();
  await person.client.listLabels({}, person.as());
  return query.mock.settledResults.some(({ type }) => type === "fulfilled");
}

const titleFor = async (person: Caller, taskId: string, headers?: Record<string, string>) =>
  (await person.client.getTask({ taskId }, person.as(headers))).task?.title;
const rename = (person: Caller, taskId: string, title: string) =>
  person.client.updateTask({ task: { taskId, title }, updateMask: { paths: ["title"] } }, person.as());

async function ownWriteIsSeen(): Promise<boolean> {
  const taskId = await sharedTask();
  return servers.whileBehind(async () => {
    await rename(ada, taskId, "after");
    return (await titleFor(ada, taskId)) === "after";
  });
}

describe("reads with a replica", () => {
  it("that is behind show everybody their own writes, and others' a moment later", async () => {
    const taskId = await sharedTask();
    await servers.whileBehind(async () => {
      await rename(ada, taskId, "after");
      expect(await titleFor(ada, taskId)).toBe("after");
      expect((await ada.client.listTasks({}, ada.as())).tasks[0]?.title).toBe("after");
      expect(await titleFor(bob, taskId)).toBe("before");
      await rename(bob, taskId, "by Bob");
      expect([await titleFor(ada, taskId), await titleFor(bob, taskId)]).toEqual(["by Bob", "by Bob"]);
    });
    await shown();
    expect(await titleFor(bob, taskId)).toBe("by Bob");
  });

  it("would show a writer the past if nobody kept how far the writes are", async () => {
    expect(await ownWriteIsSeen()).toBe(true);
    vi.spyOn(WriteMarks.prototype, "newestFor").mockResolvedValue(0n);
    expect(await ownWriteIsSeen()).toBe(false);
  });

  it("show what the consistency token of a write asks for, whoever wrote it [beyond.10]", async () => {
    const taskId = await sharedTask();
    await servers.whileBehind(async () => {
      let token: string | undefined;
      await ada.client.updateTask(
        { task: { taskId, title: "after" }, updateMask: { paths: ["title"] } },
        { ...ada.as(), onHeader: (headers) => (token = String(headers[consistencyHeader])) },
      );
      expect(token).toMatch(/^task=[0-9a-f]{16}$/);
      expect(await titleFor(bob, taskId)).toBe("before");
      expect(await titleFor(bob, taskId, { [consistencyHeader]: token as string })).toBe("after");
      expect(await titleFor(bob, taskId, { [consistencyHeader]: `user=0000000000000001,${token}` })).toBe("after");
      expect(await titleFor(bob, taskId, { [consistencyHeader]: "not a token" })).toBe("after");
    });
  });

  it("never answer that there is no such thing because the replica has not heard of it", async () => {
    await sharedTask();
    await servers.whileBehind(async () => {
      const { task } = await ada.client.createTask({ task: { title: "new" } }, ada.as());
      const taskId = task?.taskId ?? "";
      await ada.client.shareTask({ taskId, email: bob.email, role: Role.VIEWER }, ada.as());
      expect(await titleFor(bob, taskId)).toBe("new");
      expect(await refusal(bob.client.getTask({ taskId: newId() }, bob.as()))).toMatchObject({ code: Code.NOT_FOUND });
    });
  });

  it("go to the primary without an error while the replica is gone, and come back to it", async () => {
    const taskId = await sharedTask();
    await servers.killReplica();
    for (let count = 0; count < 20; count++) expect(await titleFor(bob, taskId)).toBe("before");
    await rename(ada, taskId, "meanwhile");
    await servers.startReplica();
    await shown();
    expect(await titleFor(bob, taskId)).toBe("meanwhile");
  });

  it("go to the primary without an error while the replica hangs", async () => {
    const taskId = await sharedTask();
    const goOn = await servers.haltReplica();
    try {
      for (let count = 0; count < 5; count++) expect(await titleFor(bob, taskId)).toBe("before");
      expect(await readsReplica(bob)).toBe(false);
    } finally {
      goOn();
    }
    await shown();
  });

  it("go to the primary once the replica is further behind than it may be", async () => {
    const strict = await startStage("strict", await over("1"));
    try {
      const [eve, mallory] = [strict.person("Eve"), strict.person("Mallory")];
      const { task } = await eve.client.createTask({ task: { title: "before" } }, eve.as());
      const taskId = task?.taskId ?? "";
      await eve.client.shareTask({ taskId, email: mallory.email, role: Role.VIEWER }, eve.as());
      await until("the replica to be read", () => readsReplica(mallory));
      await servers.whileBehind(async () => {
        await rename(eve, taskId, "after");
        await until("the lag to be noticed", async () => (await titleFor(mallory, taskId)) === "after");
        expect(await readsReplica(mallory)).toBe(false);
      });
    } finally {
      await strict.close();
    }
  });
});

describe("a replica", () => {
  it("is copied anew when the log that it needs is gone, and takes no writes", async () => {
    await servers.stopReplica();
    await servers.ask("primary", "SELECT pg_drop_replication_slot('postgres_replica_1')");
    const taskId = (await ada.client.createTask({ task: { title: "while it was away" } }, ada.as())).task?.taskId ?? "";
    await servers.startReplica();
    await shown();
    expect(await titleFor(ada, taskId)).toBe("while it was away");
    await expect(servers.ask("replica", "CREATE TABLE own (a int)")).rejects.toThrow("read-only");
  });

  it("is one of two, which both show what the primary has written [001.08]", async () => {
    const second = await servers.startAnother("postgres-replica-2");
    const client = new pg.Client({ connectionString: second.address });
    try {
      await client.connect();
      await servers.ask("primary", "CREATE TABLE written (word text)");
      await servers.ask("primary", "INSERT INTO written VALUES ('once')");
      const sql = "SELECT word FROM written";
      await until("the first to show it", async () => (await servers.ask("replica", sql).catch(() => [])).length === 1);
      await until(
        "the second to show it",
        async () => (await client.query(sql).catch(() => ({ rowCount: 0 }))).rowCount,
      );
      await expect(client.query("INSERT INTO written VALUES ('here')")).rejects.toThrow("read-only");
      const followers = await servers.ask("primary", "SELECT FROM pg_stat_replication WHERE state = 'streaming'");
      expect(followers).toHaveLength(2);
    } finally {
      await client.end();
      await second.stop();
    }
  });

  it("and its primary let a service into its own database only [mesh.17]", async () => {
    const { url } = await servers.database("task");
    await servers.database("auth");
    const foreign = new URL(url);
    foreign.pathname = "/auth";
    for (const { port } of [new URL(servers.primary.address), new URL(servers.replica.address)]) {
      foreign.port = port;
      const other = startStage("foreign", { database: { url: foreign.href, drop: async () => {} } });
      await expect(other).rejects.toThrow('permission denied for database "auth"');
    }
  });
});
