import { create } from "@bufbuild/protobuf";
import { Metadata } from "@grpc/grpc-js";
import { GetTaskRequestSchema, TaskService } from "#gen/task/v1/task_service_pb.js";
import { Database } from "#kit/db/database.ts";
import { codeName, ServiceError } from "#kit/errors.ts";
import { deadline } from "#kit/grpc/interceptors/deadline.ts";
import { deadlineExceeded, ServerCall } from "#kit/grpc/server-call.ts";
import { Front } from "../../../cli/runner/fault/front.ts";
import { pickPorts } from "../../../cli/runner/ports.ts";
import { until } from "../../_util/until.ts";

// What calls are answered with while a database is slow, has no connection to spare, hangs, is not there and is back.
const [given = ""] = process.argv.slice(2);
const callMs = 1_500;
const connections = 3;

const url = new URL(given);
const [port = 0] = await pickPorts(1);
const front = await Front.open(port, Number(url.port));
url.host = `127.0.0.1:${port}`;
const database = new Database({
  url: url.href,
  entities: [],
  applicationName: "away-test",
  pool: { min: 0, max: connections },
  statementTimeoutMs: 10_000,
});

/** The answer of a call that does this, as "CODE" or "CODE, come back". */
async function answer(sql: string): Promise<string> {
  const call = new ServerCall(TaskService.method.getTask, new Metadata(), Date.now() + callMs);
  const timer = setTimeout(() => call.abort(deadlineExceeded()), callMs);
  const handle = deadline.wrap(async () => {
    await database.query(sql, [], { signal: call.signal });
    return undefined;
  });
  try {
    await handle(call, create(GetTaskRequestSchema));
    return "OK";
  } catch (error) {
    if (!(error instanceof ServiceError)) throw error;
    return codeName(error.code) + (error.retryAfterMs === undefined ? "" : ", come back");
  } finally {
    clearTimeout(timer);
  }
}

const answers: Record<string, string> = { well: await answer("SELECT 1") };
answers.slow = await answer("SELECT pg_sleep(20)");

const hogs = Array.from({ length: connections }, () => database.query("SELECT pg_sleep(2.5)"));
answers.exhausted = await answer("SELECT 1");
await Promise.all(hogs);

await front.poison({ cut: "blackhole" });
answers.hanging = await answer("SELECT 1");
await front.poison({ cut: "refuse" });
answers.refusing = await answer("SELECT 1");
await front.poison({});
answers.back = await until("the database to be back", async () => {
  const found = await answer("SELECT 1");
  return found === "OK" && found;
});

process.stdout.write(JSON.stringify(answers));
await database.close();
await front.close();
