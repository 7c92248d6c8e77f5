import { UserService } from "#gen/user/v1/user_service_pb.js";
import { Identity } from "#kit/auth/identity.ts";
import { openDatabase } from "#kit/db/database.ts";
import { type Consumer, startConsumer } from "#kit/events/consumer.ts";
import { createClient, MeshChannel } from "#kit/grpc/client.ts";
import type { Lifecycle } from "#kit/lifecycle.ts";
import { openRedis } from "#kit/redis/redis.ts";
import { startAdmin } from "#observability/admin.ts";
import { entities, migrations } from "../services/notification/db/mikro-orm.config.ts";
import type { ConsumersConfig } from "./config.ts";
import { type ConsumersContext, createContext } from "./context.ts";
import { Mailer } from "./email/mailer.ts";
import { type GroupName, groups } from "./groups.ts";
import { People } from "./people.ts";

/** Opens what the groups need and runs those that the configuration names. */
export async function startService(config: ConsumersConfig, lifecycle: Lifecycle): Promise<void> {
  const { instanceId, listen, mesh, mail } = config;
  const database = await openDatabase({
    ...config.database,
    entities,
    migrations,
    lifecycle,
    applicationName: instanceId,
  });
  const consumers: Consumer[] = [];
  if (listen.adminPort !== 0) {
    const checks = { database: () => database.ping(), kafka: () => allHealthy(consumers) };
    await startAdmin({ host: listen.host, port: listen.adminPort, lifecycle, checks });
  }
  const identity = await Identity.load(mesh.identity);
  const channel = lifecycle.use("mesh channel", new MeshChannel(mesh.address), (opened) => opened.close());
  const redis = openRedis({ ...config.redis, lifecycle });
  const people = new People(createClient(UserService, channel, { identity }));
  const mailer = lifecycle.use("mailer", new Mailer({ url: mail.smtpUrl }), (opened) => opened.close());
  const context = createContext(config, { database, redis, people, mailer });
  consumers.push(...(await Promise.all(config.groups.map((name) => startGroup(name, config, context, lifecycle)))));
}

/** Joins the group by its name and runs its events. */
function startGroup(
  name: GroupName,
  { kafka, instanceId }: Pick<ConsumersConfig, "kafka" | "instanceId">,
  context: ConsumersContext,
  lifecycle: Lifecycle,
): Promise<Consumer> {
  const group = groups[name](context);
  return startConsumer({
    ...kafka,
    group: name,
    topics: [...group.topics],
    timeoutMs: group.timeoutMs,
    eventsPerTransaction: group.eventsPerTransaction,
    clientId: `${instanceId} ${name}`,
    database: context.database,
    preparation: group,
    handle: (event) => group.handle(event),
    lifecycle,
  });
}

function allHealthy(consumers: Consumer[]): void {
  const silent = consumers.find(({ healthy }) => !healthy);
  if (silent !== undefined) throw new Error(`the group ${silent.group} has lost its membership`);
}
