import { AssignerProtocol, type PartitionAssigner } from "kafkajs";

const { MemberMetadata, MemberAssignment } = AssignerProtocol;

/**
 * Deals partitions out in turn, each to a member that subscribes to its topic. kafkajs' own assigner ignores
 * subscriptions, so that during a rolling update a new topic could go to a program that does not know it.
 */
export const subscribedRoundRobin: PartitionAssigner = ({ cluster }) => ({
  name: "SubscribedRoundRobin",
  version: 0,

  async assign({ members, topics }) {
    const subscriptions = new Map(
      members
        .map(
          ({ memberId, memberMetadata }) => [memberId, new Set(MemberMetadata.decode(memberMetadata)?.topics)] as const,
        )
        .sort(([a], [b]) => (a < b ? -1 : 1)),
    );
    const assignments = new Map<string, Record<string, number[]>>([...subscriptions.keys()].map((id) => [id, {}]));
    let turn = 0;
    for (const topic of [...topics].sort()) {
      const takers = [...subscriptions].filter(([, subscribed]) => subscribed.has(topic)).map(([memberId]) => memberId);
      for (const { partitionId } of takers.length === 0 ? [] : cluster.findTopicPartitionMetadata(topic)) {
        const assignment = assignments.get(takers[turn % takers.length] as string) as Record<string, number[]>;
        assignment[topic] = [...(assignment[topic] ?? []), partitionId];
        turn += 1;
      }
    }
    return [...assignments].map(([memberId, assignment]) => ({
      memberId,
      memberAssignment: MemberAssignment.encode({ version: 0, assignment, userData: Buffer.alloc(0) }),
    }));
  },

  protocol({ topics }) {
    return {
      name: "SubscribedRoundRobin",
      metadata: MemberMetadata.encode({ version: 0, topics, userData: Buffer.alloc(0) }),
    };
  },
});
