import { once } from "node:events";
import { UserService } from "#gen/user/v1/user_service_pb.js";
import { Identity } from "#kit/auth/identity.ts";
import { type Database, openDatabase } from "#kit/db/database.ts";
import { startConsumer } from "#kit/events/consumer.ts";
import { createClient, MeshChannel } from "#kit/grpc/client.ts";
import { Lifecycle } from "#kit/lifecycle.ts";
import { openRedis } from "#kit/redis/redis.ts";
import { People } from "../../../consumers/people.ts";
import { schedulerGroup } from "../../../consumers/scheduler/group.ts";
import { entities, migrations } from "../../../services/notification/db/mikro-orm.config.ts";

// A process of the group "scheduler", to be killed at any moment.
const options = JSON.parse(process.argv[2] ?? "{}") as Record<
  "url" | "broker" | "group" | "topic" | "mesh" | "keyFile" | "jwksFile" | "redisUrl" | "name",
  string
>;
const { url, broker, group, topic, mesh, keyFile, jwksFile, redisUrl, name } = options;
const lifecycle = new Lifecycle();
const database = await openDatabase({ url, entities, migrations, lifecycle, applicationName: name });
const users = createClient(UserService, new MeshChannel(mesh), {
  identity: await Identity.load({ keyFile, jwksFile }),
});
const job = schedulerGroup({
  database: mortal(database),
  redis: openRedis({ url: redisUrl, lifecycle }),
  people: new People(users),
  deliveryTopic: `${topic}.deliveries`,
  reminderLateSeconds: 3_600,
});
await startConsumer({
  group,
  topics: [topic],
  brokers: [broker],
  database,
  preparation: job,
  handle: (event) => job.handle(event),
  lifecycle,
  partitions: 3,
  sessionTimeoutMs: 6000,
});
process.stdout.write("ready\n");
await once(process.stdin, "data");
job.start?.(lifecycle);

/**
 * A database in which the leader dies of its second batch: the first leader when all is written and nothing committed,
 * the second when all is committed and it does not know that yet. Later ones live.
 */
function mortal(given: Database): Database {
  let batches = 0;
  const die = async (at: "written" | "committed", turn: Promise<number>) => {
    if ((await turn) === (at === "written" ? 1 : 2)) process.kill(process.pid, "SIGKILL");
  };
  const transactional: Database["transactional"] = async (fn, ...rest) => {
    batches += 1;
    const turn = batches === 2 ? nextDeath() : Promise.resolve(0);
    const result = await given.transactional(
      async (em) => {
        const written = await fn(em);
        await die("written", turn);
        return written;
      },
      ...rest,
    );
    await die("committed", turn);
    return result;
  };
  return new Proxy(given, {
    get: (target, key) => {
      if (key === "transactional") return transactional;
      const value = Reflect.get(target, key, target);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
}

async function nextDeath(): Promise<number> {
  const [row] = await database.query<{ turn: number }>("SELECT nextval('death')::int AS turn");
  return row?.turn ?? 0;
}
