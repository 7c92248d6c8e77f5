import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { parseAllDocuments } from "yaml";
import { type ProcessName, processNames } from "../../topology.ts";
import { UserError } from "../../user-error.ts";
import type { Direction, Metric, Policy, Rule } from "./policy.ts";
import { parseQuantity } from "./quantity.ts";

/** Where a HorizontalPodAutoscaler controller looks every 15 s, and KEDA every 30 s unless told otherwise. */
const hpaEveryMs = 15_000;
const kedaEverySeconds = 30;
const defaultLagThreshold = 10;

const defaultUp: Direction = {
  windowMs: 0,
  select: "Max",
  rules: [
    { type: "Percent", value: 100, periodMs: 15_000 },
    { type: "Pods", value: 4, periodMs: 15_000 },
  ],
};
const defaultDown: Direction = {
  windowMs: 300_000,
  select: "Max",
  rules: [{ type: "Percent", value: 100, periodMs: 15_000 }],
};

// biome-ignore lint/suspicious/noExplicitAny: what a YAML file holds is known only once it has been looked at.
type Loose = any;

interface Document {
  file: string;
  body: Loose;
}

/**
 * Reads every HorizontalPodAutoscaler (autoscaling/v2) and ScaledObject (KEDA, kafka triggers) of a file, or of the
 * YAML files of a folder, with what the Deployments beside them ask for. Throws one line for what cannot be followed.
 */
export function readPolicies(path: string): Policy[] {
  const documents = yamlFiles(path).flatMap(readDocuments);
  const policies = documents.flatMap(({ file, body }) => {
    if (body?.kind === "HorizontalPodAutoscaler") return [hpaPolicy(file, body, documents)];
    if (body?.kind === "ScaledObject") return [kedaPolicy(file, body)];
    return [];
  });
  if (policies.length === 0) throw new UserError(`${path} holds neither a HorizontalPodAutoscaler nor a ScaledObject`);
  const twice = policies.find(
    ({ process }, index) => policies.findIndex((other) => other.process === process) !== index,
  );
  if (twice) throw new UserError(`${path} scales ${twice.process} twice: leave one of them`);
  return policies;
}

function yamlFiles(path: string): string[] {
  const stat = statSync(path, { throwIfNoEntry: false });
  if (stat === undefined) throw new UserError(`There is no file or folder ${path}`);
  if (!stat.isDirectory()) return [path];
  return readdirSync(path)
    .filter((name) => /\.ya?ml$/.test(name))
    .sort()
    .map((name) => join(path, name));
}

function readDocuments(file: string): Document[] {
  return parseAllDocuments(readFileSync(file, "utf8")).map((document) => {
    const [error] = document.errors;
    if (error) throw new UserError(`${file} is no YAML: ${error.message.split("\n")[0]}`);
    return { file, body: document.toJS() };
  });
}

function hpaPolicy(file: string, { metadata, spec }: Loose, documents: readonly Document[]): Policy {
  const process = processOf(file, spec?.scaleTargetRef);
  const requests = documents.find(({ body }) => body?.kind === "Deployment" && body.metadata?.name === process)?.body
    .spec?.template?.spec?.containers?.[0]?.resources?.requests;
  const metrics = (spec.metrics ?? []).map(({ type, resource }: Loose): Metric => {
    const kind = resource?.name;
    const target = Number(resource?.target?.averageUtilization);
    if (type !== "Resource" || !["cpu", "memory"].includes(kind) || !(target > 0)) {
      throw new UserError(
        `${file}: ${metadata?.name} has a metric that cannot be read here: take Utilization of cpu or memory`,
      );
    }
    if (requests?.[kind] === undefined)
      throw new UserError(`${file}: no Deployment ${process} beside it says its request of ${kind}`);
    return { kind, target, request: parseQuantity(requests[kind]) };
  });
  if (metrics.length === 0) throw new UserError(`${file}: ${metadata?.name} has no metrics`);
  return {
    process,
    kind: "HorizontalPodAutoscaler",
    file,
    ...boundsOf(file, spec.minReplicas ?? 1, spec.maxReplicas),
    everyMs: hpaEveryMs,
    metrics,
    ...directionsOf(spec.behavior),
  };
}

function kedaPolicy(file: string, { metadata, spec }: Loose): Policy {
  const metrics = (spec.triggers ?? []).map(({ type, metadata: trigger }: Loose): Metric => {
    const threshold = Number(trigger?.lagThreshold ?? defaultLagThreshold);
    if (type !== "kafka" || !trigger?.consumerGroup || !trigger.topic || !(threshold > 0)) {
      throw new UserError(
        `${file}: ${metadata?.name} has a trigger that cannot be read here: take kafka with consumerGroup, topic and lagThreshold`,
      );
    }
    return {
      kind: "lag",
      group: trigger.consumerGroup,
      topic: trigger.topic,
      threshold,
      limitToPartitionsWithLag: String(trigger.limitToPartitionsWithLag) === "true",
      excludePersistentLag: String(trigger.excludePersistentLag) === "true",
    };
  });
  if (metrics.length === 0) throw new UserError(`${file}: ${metadata?.name} has no triggers`);
  return {
    process: processOf(file, spec?.scaleTargetRef),
    kind: "ScaledObject",
    file,
    // A mesh keeps one of each at least. KEDA's cooldown is about the last step to none, so it says nothing here.
    ...boundsOf(file, Math.max(1, spec.minReplicaCount ?? 0), spec.maxReplicaCount ?? 100),
    everyMs: 1000 * Number(spec.pollingInterval ?? kedaEverySeconds),
    metrics,
    ...directionsOf(spec.advanced?.horizontalPodAutoscalerConfig?.behavior),
  };
}

function processOf(file: string, target: Loose): ProcessName {
  const name = processNames.find((known) => known === target?.name);
  if (name === undefined || name === "mail")
    throw new UserError(`${file} scales "${target?.name}", which is no process of the mesh`);
  return name;
}

function boundsOf(file: string, min: unknown, max: unknown): { min: number; max: number } {
  const bounds = { min: Number(min), max: Number(max) };
  if (!Number.isInteger(bounds.min) || !Number.isInteger(bounds.max) || bounds.min < 1 || bounds.max < bounds.min) {
    throw new UserError(`${file}: from ${min} to ${max} replicas is no range`);
  }
  return bounds;
}

function directionsOf(behavior: Loose): Pick<Policy, "up" | "down"> {
  return { up: directionOf(behavior?.scaleUp, defaultUp), down: directionOf(behavior?.scaleDown, defaultDown) };
}

function directionOf(given: Loose, fallback: Direction): Direction {
  return {
    windowMs:
      given?.stabilizationWindowSeconds === undefined ? fallback.windowMs : 1000 * given.stabilizationWindowSeconds,
    select: given?.selectPolicy ?? fallback.select,
    rules:
      given?.policies?.map(
        ({ type, value, periodSeconds }: Loose): Rule => ({ type, value, periodMs: 1000 * periodSeconds }),
      ) ?? fallback.rules,
  };
}
