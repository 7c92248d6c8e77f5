import { createClient } from "@connectrpc/connect";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { TaskService } from "#gen/task/v1/task_service_pb.js";
import type { CallContext } from "#kit/grpc/service.ts";
import { newId } from "#kit/id.ts";
import { type Edge, type Protocol, startEdge } from "../gateway/edge.ts";
import { type Caller, startStage, type TaskStage } from "../task/service.ts";

// A real gateway before the real task service; what stands between them only changes the token.
let stage: TaskStage;
let ada: Caller;
let edge: Edge;
let authorization: string;
beforeAll(async () => {
  [stage, edge] = await Promise.all([startStage("idempotency edge"), startEdge()]);
  ada = stage.person("Ada");
  authorization = `Bearer ${edge.issuer.token({ sub: ada.userId })}`;
  edge.handlers.set("task.v1.TaskService/CreateTask", (request, call: CallContext) => {
    const key = call.header("idempotency-key");
    const options = ada.as(key === undefined ? {} : { "idempotency-key": key });
    const onHeader = (headers: Record<string, string>) => {
      const replayed = headers["idempotency-replayed"];
      if (replayed !== undefined) call.responseHeader("idempotency-replayed", replayed);
    };
    return ada.client.createTask(request, { ...options, onHeader });
  });
});
afterAll(async () => {
  await edge.close();
  await stage.close();
});

async function post(key: string, title: string) {
  const response = await fetch(`${edge.url}/v1/tasks`, {
    method: "POST",
    headers: { authorization, "content-type": "application/json", "idempotency-key": key },
    body: JSON.stringify({ title }),
  });
  return {
    status: response.status,
    replayed: response.headers.get("idempotency-replayed"),
    retryAfter: response.headers.get("retry-after"),
    text: await response.text(),
  };
}

async function tasksTitled(title: string): Promise<number> {
  const { rows } = await stage.sql.query("SELECT count(*)::int AS count FROM task WHERE title = $1", [title]);
  return rows[0].count;
}

describe("a repeated Idempotency-Key over REST", () => {
  it("is answered with the same bytes, and 422 for another body", async () => {
    const key = newId();
    const first = await post(key, key);
    expect(first).toMatchObject({ status: 200, replayed: null });
    expect(await post(key, key)).toMatchObject({ status: 200, replayed: "true", text: first.text });
    const other = await post(key, "another body");
    expect(other.status).toBe(422);
    expect(JSON.parse(other.text)).toMatchObject({ reason: "IDEMPOTENCY_KEY_REUSED" });
    expect([await tasksTitled(key), await tasksTitled("another body")]).toEqual([1, 0]);
  });

  it("is 409 with Retry-After while the first call runs", async () => {
    const key = newId();
    const holder = await stage.sql.connect();
    try {
      await holder.query("BEGIN");
      await holder.query("SELECT pg_advisory_xact_lock(hashtextextended($1::text || ' ' || $2::text, 7305402773))", [
        ada.userId,
        key,
      ]);
      const answer = await post(key, key);
      expect(answer.status).toBe(409);
      expect(JSON.parse(answer.text)).toMatchObject({ reason: "IDEMPOTENCY_KEY_IN_FLIGHT" });
      expect(Number(answer.retryAfter)).toBeGreaterThan(0);
    } finally {
      await holder.query("ROLLBACK");
      holder.release();
    }
    expect(await post(key, key)).toMatchObject({ status: 200, replayed: null });
  });

  it("names the key that is none", async () => {
    const answer = await post("with space", "no key");
    expect(answer.status).toBe(400);
    expect(JSON.parse(answer.text).fieldViolations).toMatchObject([
      { field: expect.stringMatching(/idempotency.?key/i) },
    ]);
  });
});

it.each<Protocol>(["Connect JSON", "Connect", "gRPC-Web", "gRPC"])("means the same over %s", async (protocol) => {
  const client = createClient(TaskService, edge.transports[protocol]);
  const key = newId();
  const create = async () => {
    let replayed: string | null = null;
    const { task } = await client.createTask(
      { task: { title: key } },
      {
        headers: { authorization, "idempotency-key": key },
        onHeader: (headers) => {
          replayed = headers.get("idempotency-replayed");
        },
      },
    );
    return { task, replayed };
  };
  const first = await create();
  expect(first.replayed).toBeNull();
  expect(await create()).toEqual({ task: first.task, replayed: "true" });
  expect(await post(key, key)).toMatchObject({ status: 200, replayed: "true" });
  expect(await tasksTitled(key)).toBe(1);
});
