import type { ProcessName } from "../../../cli/topology.ts";

/** What a container asks for and may have at most. */
export interface Resources {
  requests: { cpu: string; memory: string };
  limits: { cpu: string; memory: string };
}

/** The processes that a cluster runs; mail is a development server. */
export type WorkloadName = Exclude<ProcessName, "mail">;

export const workloadNames = ["auth", "user", "task", "notification", "gateway", "consumers"] as const;

const size = (cpu: [string, string], memory: [string, string] = ["256Mi", "512Mi"]): Resources => ({
  requests: { cpu: cpu[0], memory: memory[0] },
  limits: { cpu: cpu[1], memory: memory[1] },
});

export const resources: Readonly<Record<WorkloadName | "envoy" | "mail", Resources>> = {
  gateway: size(["250m", "500m"]),
  auth: size(["200m", "400m"]),
  user: size(["200m", "400m"]),
  task: size(["200m", "400m"]),
  notification: size(["200m", "400m"]),
  consumers: size(["200m", "400m"]),
  envoy: size(["250m", "1000m"], ["128Mi", "1536Mi"]),
  mail: size(["50m", "200m"], ["128Mi", "256Mi"]),
};

/** Fewest and most replicas; the most is at least what the heavy profile runs. */
export const replicas: Readonly<Record<WorkloadName, { min: number; max: number }>> = {
  gateway: { min: 4, max: 20 },
  auth: { min: 2, max: 8 },
  user: { min: 2, max: 8 },
  task: { min: 2, max: 12 },
  notification: { min: 2, max: 6 },
  consumers: { min: 2, max: 10 },
};

/** Percent of what was asked for, above which there are more replicas. */
export const utilization = { cpu: 70, memory: 80 } as const;

/** Events that one replica of the consumers may have before it. */
export const lagThreshold = 100;
