import { AssignerProtocol, type Cluster, type Logger } from "kafkajs";
import { expect, test } from "vitest";
import { subscribedRoundRobin } from "./assigner.ts";

const { MemberMetadata, MemberAssignment } = AssignerProtocol;

function assign(partitionsOf: Record<string, number>, members: Record<string, string[]>) {
  const cluster = {
    findTopicPartitionMetadata: (topic: string) =>
      Array.from({ length: partitionsOf[topic] ?? 0 }, (_, partitionId) => ({ partitionId })),
  } as unknown as Cluster;
  const assigner = subscribedRoundRobin({ cluster, groupId: "g", logger: {} as Logger });
  const group = Object.entries(members).map(([memberId, topics]) => ({
    memberId,
    memberMetadata: MemberMetadata.encode({ version: 0, topics, userData: Buffer.alloc(0) }),
  }));
  return assigner
    .assign({ members: group, topics: Object.keys(partitionsOf) })
    .then((assignments) =>
      Object.fromEntries(
        assignments.map(({ memberId, memberAssignment }) => [
          memberId,
          MemberAssignment.decode(memberAssignment)?.assignment,
        ]),
      ),
    );
}

test("each partition goes to one member, evenly over all topics", async () => {
  const topics = ["a", "b"];
  const dealt = await assign({ a: 12, b: 3 }, { m1: topics, m2: topics, m3: topics, m4: topics });
  const counts = Object.values(dealt).map((own) => Object.values(own ?? {}).flat().length);
  expect(counts.sort()).toEqual([3, 4, 4, 4]);
  const ofA = Object.values(dealt).flatMap((own) => own?.a ?? []);
  expect(ofA.sort((x, y) => x - y)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]);
});

test("a topic goes only to members that subscribe to it", async () => {
  const dealt = await assign({ a: 4, b: 2 }, { old: ["a"], young: ["a", "b"] });
  expect(dealt.old?.b).toBeUndefined();
  expect(dealt.young?.b).toEqual([0, 1]);
});

test("a member without a partition gets an empty assignment", async () => {
  expect(await assign({ a: 1 }, { m1: ["a"], m2: ["a"] })).toEqual({ m1: { a: [0] }, m2: {} });
});
