import { topics } from "#kit/events/topics.ts";
import { lagThreshold, replicas, utilization, type WorkloadName } from "./sizes.ts";

/** Which topics each consumer group hears; a test compares it with the groups. */
export const groupTopics: Readonly<Record<string, readonly string[]>> = {
  notification: [topics.taskEvents, topics.authEvents],
  email: [topics.deliveries],
  webhook: [topics.deliveries],
  push: [topics.deliveries],
  urgent: [topics.urgent],
  scheduler: [topics.taskEvents, topics.userEvents],
};

/** Up at once, down slowly: what a peak needed five minutes ago it may need again. */
const behavior = {
  scaleUp: {
    stabilizationWindowSeconds: 0,
    selectPolicy: "Max",
    policies: [
      { type: "Percent", value: 100, periodSeconds: 15 },
      { type: "Pods", value: 4, periodSeconds: 15 },
    ],
  },
  scaleDown: {
    stabilizationWindowSeconds: 300,
    selectPolicy: "Max",
    policies: [{ type: "Percent", value: 50, periodSeconds: 60 }],
  },
};

const target = (name: WorkloadName) => ({ apiVersion: "apps/v1", kind: "Deployment", name });
const resource = (name: "cpu" | "memory") => ({
  type: "Resource",
  resource: { name, target: { type: "Utilization", averageUtilization: utilization[name] } },
});

export function horizontalPodAutoscaler(name: Exclude<WorkloadName, "consumers">) {
  return {
    apiVersion: "autoscaling/v2",
    kind: "HorizontalPodAutoscaler",
    metadata: { name },
    spec: {
      scaleTargetRef: target(name),
      minReplicas: replicas[name].min,
      maxReplicas: replicas[name].max,
      metrics: [resource("cpu"), resource("memory")],
      behavior,
    },
  };
}

/** KEDA's: the consumers follow the lag of their groups, and never exceed the partitions that have some. */
export function scaledObject() {
  const { min, max } = replicas.consumers;
  return {
    apiVersion: "keda.sh/v1alpha1",
    kind: "ScaledObject",
    metadata: { name: "consumers" },
    spec: {
      scaleTargetRef: target("consumers"),
      pollingInterval: 15,
      cooldownPeriod: 300,
      minReplicaCount: min,
      maxReplicaCount: max,
      advanced: { horizontalPodAutoscalerConfig: { behavior } },
      triggers: Object.entries(groupTopics).flatMap(([consumerGroup, heard]) =>
        heard.map((topic) => ({
          type: "kafka",
          metadata: {
            bootstrapServersFromEnv: "KAFKA_BROKERS",
            consumerGroup,
            topic,
            lagThreshold: String(lagThreshold),
            offsetResetPolicy: "earliest",
            limitToPartitionsWithLag: "true",
            excludePersistentLag: "true",
          },
        })),
      ),
    },
  };
}
