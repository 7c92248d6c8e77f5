import { UserService } from "#gen/user/v1/user_service_pb.js";
import { Identity } from "#kit/auth/identity.ts";
import { Database, openDatabase } from "#kit/db/database.ts";
import { type Consumer, type EventHandler, startConsumer } from "#kit/events/consumer.ts";
import { withFaults } from "#kit/events/faults.ts";
import { kafkaPart } from "#kit/events/kafka-probe.ts";
import { openLagReader } from "#kit/events/lag.ts";
import { createClient, MeshChannel } from "#kit/grpc/client.ts";
import type { Part } from "#kit/health/part.ts";
import { Readiness } from "#kit/health/readiness.ts";
import { endWhenStuck } from "#kit/health/stuck.ts";
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
  const readiness = await Readiness.start(lifecycle, {
    database: { check: () => database.ping(), required: true },
    kafka: { ...kafkaPart({ ...config.kafka, clientId: instanceId, lifecycle }), required: true },
    ...Object.fromEntries(config.groups.map((name) => [name, groupPart(name, consumers)])),
  });
  if (listen.adminPort !== 0) await startAdmin({ host: listen.host, port: listen.adminPort, lifecycle, readiness });
  const identity = await Identity.load(mesh.identity);
  const channel = lifecycle.use("mesh channel", new MeshChannel(mesh.address), (opened) => opened.close());
  const redis = openRedis({ ...config.redis, lifecycle });
  const people = new People(createClient(UserService, channel, { identity }));
  const mailer = lifecycle.use("mailer", new Mailer({ url: mail.smtpUrl }), (opened) => opened.close());
  const urgent = openUrgentLane(config, lifecycle);
  const context = createContext(config, { database, redis, people, mailer, urgent });
  consumers.push(...(await Promise.all(config.groups.map((name) => startGroup(name, config, context, lifecycle)))));
  // A broker may answer while the one that keeps the groups does not.
  const lags = openLagReader({ brokers: config.kafka.brokers, clientId: instanceId });
  const dependenciesWork = () => lags.read(config.groups).finally(() => lags.close());
  endWhenStuck({ readiness, lifecycle, own: config.groups, dependenciesWork });
}

/** Opened with the first use, so that it costs nothing where the group does not run. */
function openUrgentLane({ database, instanceId, mail }: ConsumersConfig, lifecycle: Lifecycle) {
  const pool = { ...database.pool, min: 0, max: 3, isMeasured: false };
  const own = new Database({ ...database, pool, entities, applicationName: `${instanceId} urgent` });
  return {
    database: lifecycle.use("urgent database", own, (opened) => opened.close()),
    mailer: lifecycle.use(
      "urgent mailer",
      new Mailer({ url: mail.smtpUrl, timeoutMs: 2_000, connections: 3 }),
      (opened) => opened.close(),
    ),
  };
}

/** Joins the group by its name and runs its events. */
function startGroup(
  name: GroupName,
  config: Pick<ConsumersConfig, "kafka" | "instanceId" | "retryDelaysMs" | "faultsFile">,
  context: ConsumersContext,
  lifecycle: Lifecycle,
): Promise<Consumer> {
  const { kafka, instanceId, retryDelaysMs, faultsFile: file } = config;
  const group = groups[name](context);
  group.start?.(lifecycle);
  const handle: EventHandler<unknown> = (event) => group.handle(event);
  return startConsumer({
    ...kafka,
    group: name,
    topics: [...group.topics],
    timeoutMs: group.timeoutMs,
    retryDelaysMs,
    eventsPerTransaction: group.eventsPerTransaction,
    clientId: `${instanceId} ${name}`,
    database: group.database ?? context.database,
    preparation: group,
    handle: file === "" ? handle : withFaults(handle, { group: name, file, lifecycle }),
    lifecycle,
  });
}

/** Membership of a group as a part of the process: away while it could not do an event. */
function groupPart(name: GroupName, consumers: readonly Consumer[]): Part {
  return {
    required: true,
    check: () => {
      const healthy = consumers.find(({ group }) => group === name)?.healthy ?? false;
      if (!healthy) throw new Error(`the group ${name} has lost its membership`);
    },
  };
}
