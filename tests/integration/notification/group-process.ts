import { UserService } from "#gen/user/v1/user_service_pb.js";
import { Identity } from "#kit/auth/identity.ts";
import { openDatabase } from "#kit/db/database.ts";
import { startConsumer } from "#kit/events/consumer.ts";
import { createClient, MeshChannel } from "#kit/grpc/client.ts";
import { Lifecycle } from "#kit/lifecycle.ts";
import { openRedis } from "#kit/redis/redis.ts";
import { createContext } from "../../../consumers/context.ts";
import { Mailer } from "../../../consumers/email/mailer.ts";
import { type GroupName, groups } from "../../../consumers/groups.ts";
import { People } from "../../../consumers/people.ts";
import { entities, migrations } from "../../../services/notification/db/mikro-orm.config.ts";
import { settings } from "./settings.ts";

// A process of one group, to be killed at any moment.
const options = JSON.parse(process.argv[2] ?? "{}") as Record<
  | "url"
  | "broker"
  | "group"
  | "topic"
  | "mesh"
  | "keyFile"
  | "jwksFile"
  | "smtpUrl"
  | "fromAddress"
  | "redisUrl"
  | "webhookSecret"
  | "pushKeyFile",
  string
> & { name: GroupName };
const { url, broker, group, topic, mesh, keyFile, jwksFile, smtpUrl, fromAddress, redisUrl, name } = options;
const lifecycle = new Lifecycle();
const database = await openDatabase({ url, entities, migrations, lifecycle, applicationName: name });
const users = createClient(UserService, new MeshChannel(mesh), {
  identity: await Identity.load({ keyFile, jwksFile }),
});
const redis = openRedis({ url: redisUrl, lifecycle });
const mailer = new Mailer({ url: smtpUrl });
const parts = { database, redis, people: new People(users), mailer, urgent: { database, mailer } };
const secret = Buffer.from(options.webhookSecret ?? "", "base64");
const context = createContext(settings(smtpUrl, options.pushKeyFile, secret), parts);
const job = groups[name]({ ...context, from: { address: fromAddress, name: "" } });
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
  retryDelaysMs: [500, 2000, 4000, 8000],
});
process.stdout.write("started\n");
