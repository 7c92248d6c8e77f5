import type { DescMethod } from "@bufbuild/protobuf";
import { MethodOptions_IdempotencyLevel } from "@bufbuild/protobuf/wkt";
import { RateClass } from "#gen/mesh/v1/options_pb.js";
import { policyOf } from "../grpc/policy.ts";

/** How much a call matters when not all can be taken, the most important first. */
export const priorities = ["urgent", "write", "read", "background"] as const;
export type Priority = (typeof priorities)[number];

/** Up to which share of a limit calls of each priority are taken: the rest of it is for those that matter more. */
export const shares: Readonly<Record<Priority, number>> = { urgent: 1, write: 0.9, read: 0.8, background: 0.5 };

/** Tells a service on whose behalf a process of the mesh calls; the edge takes it from strangers. */
export const priorityHeader = "x-mesh-priority";

/** On an answer of the gateway: it was one call too many for it. Envoy learns from that, and keeps it to itself. */
export const shedHeader = "x-mesh-shed";

/** What costs as much as this many ordinary calls is batch work, and can wait. */
const batchCost = 10;

const ofMethods = new WeakMap<DescMethod, Priority>();

/** The priority of a call that somebody outside makes, by what the proto says of its method. */
export function priorityOf(method: DescMethod): Priority {
  let priority = ofMethods.get(method);
  if (priority === undefined) {
    priority = read(method);
    ofMethods.set(method, priority);
  }
  return priority;
}

/** That of a call on behalf of another: what was taken once is not given up half-way. */
export function inheritedPriority(method: DescMethod, header: string | undefined): Priority {
  return priorities.find((name) => name === header) ?? priorityOf(method);
}

function read(method: DescMethod): Priority {
  const { rateClass, cost = 1 } = policyOf(method) ?? {};
  if (rateClass === RateClass.URGENT) return "urgent";
  if (cost >= batchCost) return "background";
  return method.idempotency === MethodOptions_IdempotencyLevel.NO_SIDE_EFFECTS ? "read" : "write";
}
