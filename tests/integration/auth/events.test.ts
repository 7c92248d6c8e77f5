import { randomUUID } from "node:crypto";
import { fromBinary } from "@bufbuild/protobuf";
import { Kafka, type KafkaMessage, logLevel } from "kafkajs";
import { afterAll, beforeAll, expect, inject, it } from "vitest";
import { type AuthEvent, AuthEventSchema } from "#gen/auth/v1/auth_events_pb.js";
import type { AuthService } from "#gen/auth/v1/auth_service_pb.js";
import { type UserEvent, UserEventSchema } from "#gen/user/v1/user_events_pb.js";
import type { Client } from "#kit/grpc/client.ts";
import { until } from "../../_util/until.ts";
import { as, insist, newEmail, Pair, password } from "./pair.ts";

let pair: Pair;
let auth: Client<typeof AuthService>;
const heard: { topic: string; message: KafkaMessage }[] = [];
const kafka = new Kafka({ brokers: [inject("kafka")], clientId: "events-test", logLevel: logLevel.NOTHING });
const consumer = kafka.consumer({ groupId: `events-test-${randomUUID()}` });

beforeAll(async () => {
  pair = await Pair.start();
  auth = await pair.auth();
  await insist(() => auth.register({ email: newEmail(), password }));
  await until("the topics", async () => {
    const admin = kafka.admin();
    await admin.connect();
    const topics = await admin.listTopics();
    await admin.disconnect();
    return ["auth.events.v1", "user.events.v1"].every((topic) => topics.includes(topic));
  });
  await consumer.connect();
  await consumer.subscribe({ topics: ["auth.events.v1", "user.events.v1"], fromBeginning: true });
  await consumer.run({ eachMessage: async ({ topic, message }) => void heard.push({ topic, message }) });
});
afterAll(async () => {
  await consumer.disconnect();
  await pair.close();
});

const about = (topic: string, userId: string) =>
  heard
    .filter((record) => record.topic === topic && String(record.message.key) === userId)
    .map(({ message }) => message);

it("tells on Kafka what happened to an account and its profile, in order and without the address", async () => {
  const email = `canary-${newEmail()}`;
  const first = await auth.register({ email, password });
  const userId = first.user?.userId ?? "";
  await auth.register({ email, password: "another long password" });
  await auth.logout({}, as(first.accessToken));
  const second = await auth.login({ email, password });
  await (await pair.user()).updateMe({ user: { displayName: "Grace", locale: "de" } }, as(second.accessToken));

  const ofAccount = await until("the account's events", () => {
    const found = about("auth.events.v1", userId);
    return found.length === 3 && found;
  });
  const ofProfile = await until("the profile's events", () => {
    const found = about("user.events.v1", userId);
    return found.length === 2 && found;
  });
  const authEvents = ofAccount.map(({ value }): AuthEvent => fromBinary(AuthEventSchema, value as Buffer));
  expect(authEvents.map(({ sequence, fact }) => [sequence, fact.case])).toEqual([
    [1n, "accountRegistered"],
    [2n, "registrationAttempted"],
    [3n, "sessionRevoked"],
  ]);
  const userEvents = ofProfile.map(({ value }): UserEvent => fromBinary(UserEventSchema, value as Buffer));
  expect(userEvents.map(({ sequence, fact }) => [sequence, fact.case])).toEqual([
    [1n, "userCreated"],
    [2n, "userUpdated"],
  ]);
  expect(userEvents[1]?.fact.value).toMatchObject({ changedFields: ["display_name", "locale"] });
  for (const { value } of ofAccount) expect(value?.includes("canary")).toBe(false);
  for (const { headers = {} } of [...ofAccount, ...ofProfile]) {
    const texts = Object.entries(headers).map(([name, text]) => `${name}=${text}`);
    expect(texts.join()).toContain("ce_type=");
    expect(texts.join()).not.toContain("canary");
  }
});
