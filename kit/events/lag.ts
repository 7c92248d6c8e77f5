import { type Admin, AssignerProtocol, type GroupDescription } from "kafkajs";
import { createKafka } from "./kafka-client.ts";
import { tailGroupPrefix } from "./tail.ts";

const { MemberMetadata, MemberAssignment } = AssignerProtocol;

/** How far a group is behind in one partition. */
export interface GroupLag {
  group: string;
  topic: string;
  partition: number;
  /** The offset that the next event will get. */
  end: number;
  /** The offset that the group will read next, as it told the broker; undefined before it told anything. */
  committed: number | undefined;
  /** Events that are there and not committed. */
  lag: number;
  /** SERVICE_INSTANCE_ID of the member that owns the partition; undefined while nobody does. */
  instance: string | undefined;
}

export interface LagReader {
  /** All groups, or the named ones. Rejects when the broker does not answer; the next call connects anew. */
  read(groups?: readonly string[]): Promise<GroupLag[]>;
  close(): Promise<void>;
}

/** Asks one broker connection for the lag of consumer groups; it connects with the first question. */
export function openLagReader(options: { brokers: string[]; clientId?: string }): LagReader {
  const kafka = createKafka({ clientId: "taskmesh-lag", ...options, retry: { retries: 1 } });
  let connected: Promise<Admin> | undefined;
  const connect = async () => {
    const admin = kafka.admin();
    await admin.connect();
    return admin;
  };
  const close = async () => {
    const admin = await connected?.catch(() => undefined);
    connected = undefined;
    await admin?.disconnect().catch(() => {});
  };
  return {
    async read(groups) {
      connected ??= connect();
      try {
        return await readWith(await connected, groups);
      } catch (error) {
        await close();
        throw error;
      }
    },
    close,
  };
}

/** One question for all groups' members, one for each group's offsets, two for each topic's ends, side by side. */
async function readWith(admin: Admin, wanted?: readonly string[]): Promise<GroupLag[]> {
  const [names, known] = await Promise.all([wanted ?? groupNames(admin), admin.listTopics()]);
  if (names.length === 0) return [];
  const [{ groups }, offsets] = await Promise.all([
    admin.describeGroups([...names]),
    Promise.all(names.map((groupId) => admin.fetchOffsets({ groupId }))),
  ]);
  const present = new Set(known);
  const positions = names.map((name, index) => {
    const description = groups.find(({ groupId }) => groupId === name);
    return positionOf(name, description, offsets[index] ?? [], present);
  });
  const topics = [...new Set(positions.flatMap((position) => [...position.topics]))];
  const bounds = new Map(
    await Promise.all(topics.map(async (topic) => [topic, await admin.fetchTopicOffsets(topic)] as const)),
  );
  return positions.flatMap(({ group, topics: own, committed, owner }) =>
    [...own].sort().flatMap((topic) =>
      (bounds.get(topic) ?? [])
        .map(({ partition, low, high }) => {
          const place = `${topic}/${partition}`;
          const from = committed.get(place);
          const lag = Math.max(0, Number(high) - Math.max(from ?? 0, Number(low)));
          return { group, topic, partition, end: Number(high), committed: from, lag, instance: owner.get(place) };
        })
        .sort((a, b) => a.partition - b.partition),
    ),
  );
}

async function groupNames(admin: Admin): Promise<string[]> {
  const { groups } = await admin.listGroups();
  return groups
    .filter(
      ({ protocolType, groupId }) => ["consumer", ""].includes(protocolType) && !groupId.startsWith(tailGroupPrefix),
    )
    .map(({ groupId }) => groupId);
}

type CommittedOffsets = Awaited<ReturnType<Admin["fetchOffsets"]>>;

/** Where one group stands: what its members subscribe to and own, and what it has committed, by "topic/partition". */
function positionOf(
  group: string,
  description: GroupDescription | undefined,
  offsets: CommittedOffsets,
  present: ReadonlySet<string>,
) {
  const members = (description?.members ?? []).map(membershipOf);
  const owner = new Map(members.flatMap(({ instance, places }) => places.map((place) => [place, instance] as const)));
  const positions = offsets.flatMap(({ topic, partitions }) =>
    partitions.map(({ partition, offset }) => [`${topic}/${partition}`, Number(offset)] as const),
  );
  const topics = new Set([...members.flatMap(({ subscribed }) => subscribed), ...offsets.map(({ topic }) => topic)]);
  // The broker says -1 where nothing has been committed.
  const committed = new Map<string, number>(positions.filter(([, offset]) => offset >= 0));
  return { group, topics: topics.intersection(present), committed, owner };
}

function membershipOf({ clientId, memberMetadata, memberAssignment }: GroupDescription["members"][number]) {
  // Both are empty while the group rebalances.
  const subscribed = memberMetadata.length > 0 ? MemberMetadata.decode(memberMetadata)?.topics : undefined;
  const assigned = memberAssignment.length > 0 ? MemberAssignment.decode(memberAssignment)?.assignment : undefined;
  const places = Object.entries(assigned ?? {}).flatMap(([topic, partitions]) =>
    partitions.map((partition) => `${topic}/${partition}`),
  );
  return { instance: instanceOf(clientId), subscribed: subscribed ?? [], places };
}

/** Members name themselves "<instance> <group>". */
function instanceOf(clientId: string): string {
  return clientId.split(" ")[0] as string;
}
