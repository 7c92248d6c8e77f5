import { AssignerProtocol, Kafka, logLevel } from "kafkajs";
import type { TestMesh } from "./mesh.ts";

/** A plain client of the mesh's own Kafka, to look at it from outside. */
export async function kafkaOf(mesh: TestMesh): Promise<Kafka> {
  const kafka = (await mesh.status()).instances.find(({ name }) => name === "kafka");
  return new Kafka({ brokers: [`127.0.0.1:${kafka?.ports.broker}`], logLevel: logLevel.ERROR });
}

/** How many partitions of a topic each member of a group owns, as the broker says. */
export async function ownership(kafka: Kafka, group: string, topic: string): Promise<number[]> {
  const admin = kafka.admin();
  await admin.connect();
  try {
    const [description] = (await admin.describeGroups([group])).groups;
    if (description?.state !== "Stable") return [];
    return description.members.map(
      ({ memberAssignment }) =>
        AssignerProtocol.MemberAssignment.decode(memberAssignment)?.assignment[topic]?.length ?? 0,
    );
  } finally {
    await admin.disconnect();
  }
}
