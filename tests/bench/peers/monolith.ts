/** The peer of P1: what somebody would write who needs no mesh. One process, fastify and pg, the same rows. */
import fastify from "fastify";
import pg from "pg";
import { migrate } from "#kit/db/migrate.ts";
import { newId } from "#kit/id.ts";
import { migrations } from "../../../services/task/db/mikro-orm.config.ts";
import { insertTask } from "../../../services/task/db/task.repository.ts";
import { newTask } from "../../../services/task/domain/revise.ts";
import { Role, Status } from "../../../services/task/domain/task.ts";
import { announce } from "./announce.ts";

const connectionString = process.env.BENCH_DB_URL;
await migrate({ connectionString }, migrations);
const pool = new pg.Pool({ connectionString, min: 2, max: 10 });

const string = { type: "string" };
const texts = { type: "array", items: string };
const schema = {
  body: {
    type: "object",
    required: ["title"],
    properties: {
      title: { type: "string", minLength: 1, maxLength: 500 },
      description: { type: "string", maxLength: 16_384, default: "" },
      priority: { type: "integer", minimum: 0, maximum: 4, default: 0 },
    },
  },
  response: {
    200: {
      type: "object",
      properties: {
        taskId: string,
        title: string,
        description: string,
        status: string,
        priority: { type: "integer" },
        projectId: string,
        parentTaskId: string,
        labelIds: texts,
        assigneeIds: texts,
        createTime: string,
        updateTime: string,
        etag: string,
        revision: string,
        ownerId: string,
      },
    },
  },
};

interface Body {
  title: string;
  description: string;
  priority: number;
}

const ownerId = newId();
const members = [{ userId: ownerId, role: Role.OWNER }];
const unset = { due: null, parentTaskId: null, labelIds: [], assigneeIds: [], recurrence: null };
const app = fastify();

app.post<{ Body: Body }>("/v1/tasks", { schema }, async ({ body }) => {
  const taskId = newId();
  const eventId = newId();
  const at = new Date();
  const task = newTask({ ...unset, ...body, status: Status.OPEN }, { taskId, ownerId, at });
  task.eventSequence = 1n;
  const payload = Buffer.from(JSON.stringify({ eventId, sequence: 1, occurTime: at, taskId, ownerId, ...body }));
  const event = { topic: "task.events.v1", key: taskId, eventId, type: "task.v1.TaskCreated", sequence: 1n };
  await insertTask(
    async ({ name, text }, parameters) => (await pool.query({ name, text, values: [...parameters] })).rows,
    task,
    members,
    { ...event, payload, occurTime: at, actorId: ownerId, fact: Buffer.alloc(0) },
  );
  const time = at.toISOString();
  const fixed = { status: "STATUS_OPEN", projectId: "", parentTaskId: "", labelIds: [], assigneeIds: [] };
  const { title, description, priority } = task;
  const own = { taskId, title, description, priority, createTime: time, updateTime: time };
  return { ...fixed, ...own, etag: `1-${taskId.slice(-8)}`, revision: "1", ownerId };
});

announce(await app.listen({ host: "127.0.0.1", port: 0 }));
