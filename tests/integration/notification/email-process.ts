import { UserService } from "#gen/user/v1/user_service_pb.js";
import { Identity } from "#kit/auth/identity.ts";
import { openDatabase } from "#kit/db/database.ts";
import { startConsumer } from "#kit/events/consumer.ts";
import { createClient, MeshChannel } from "#kit/grpc/client.ts";
import { Lifecycle } from "#kit/lifecycle.ts";
import { openRedis } from "#kit/redis/redis.ts";
import { createContext } from "../../../consumers/context.ts";
import { emailGroup } from "../../../consumers/email/group.ts";
import { Mailer } from "../../../consumers/email/mailer.ts";
import { People } from "../../../consumers/people.ts";
import { entities, migrations } from "../../../services/notification/db/mikro-orm.config.ts";

// A process of the group "email", to be killed at any moment.
const options = JSON.parse(process.argv[2] ?? "{}") as Record<
  "url" | "broker" | "group" | "topic" | "mesh" | "keyFile" | "jwksFile" | "smtpUrl" | "fromAddress" | "redisUrl",
  string
>;
const { url, broker, group, topic, mesh, keyFile, jwksFile, smtpUrl, fromAddress, redisUrl } = options;
const lifecycle = new Lifecycle();
const database = await openDatabase({ url, entities, migrations, lifecycle, applicationName: "email" });
const users = createClient(UserService, new MeshChannel(mesh), {
  identity: await Identity.load({ keyFile, jwksFile }),
});
const mail = { smtpUrl, from: { address: fromAddress, name: "" }, publicUrl: "https://mesh.example" };
const redis = openRedis({ url: redisUrl, lifecycle });
const parts = { database, redis, people: new People(users), mailer: new Mailer({ url: smtpUrl }) };
const job = emailGroup(createContext({ mail }, parts));
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
