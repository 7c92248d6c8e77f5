import { setTimeout as sleep } from "node:timers/promises";
import { faultKeys } from "../../../envoy/faults.ts";
import { allRpcs } from "../../../envoy/rpcs.ts";
import { UserError } from "../../user-error.ts";
import { adminPage } from "../parts/envoy.ts";
import { type Fault, longestMs } from "./fault.ts";
import type { Heal } from "./process-faults.ts";

type RpcFault = Omit<Extract<Fault, { kind: "rpc" }>, "kind" | "target">;

const none: RpcFault = { percent: 0 };
const againAfterMs = 1000;

/** What is done to each RPC of an Envoy now, by the fault that brought it: the newest that is left holds. */
const layers = new Map<string, Map<symbol, RpcFault>>();

/**
 * Has Envoy abort or delay a share of the calls of one RPC, by its admin page: no restart. Healing goes on in the
 * background where Envoy cannot be told just now, until it can or the signal aborts.
 */
export async function faultRpc(
  adminPort: number,
  { target, ...fault }: Extract<Fault, { kind: "rpc" }>,
  signal?: AbortSignal,
): Promise<Heal> {
  if (!allRpcs().some(({ path }) => path === `/${target}`)) {
    throw new UserError(`There is no RPC "${target}": write it as task.v1.TaskService/CreateTask`);
  }
  const place = `${adminPort} ${target}`;
  const held = layers.get(place) ?? new Map<symbol, RpcFault>();
  layers.set(place, held);
  const mine = Symbol(target);
  const settle = () => setFault(adminPort, target, [...held.values()].at(-1) ?? none);
  const heal = async () => {
    held.delete(mine);
    await settle().catch(() => void persist(settle, signal));
  };
  held.set(mine, fault);
  try {
    await settle();
  } catch {
    // One that is halted would still take it when it goes on.
    await heal();
    throw new UserError("Envoy does not take the fault: see its log, envoy.log");
  }
  return heal;
}

async function persist(settle: () => Promise<void>, signal?: AbortSignal): Promise<void> {
  const end = performance.now() + longestMs;
  while (performance.now() < end && !signal?.aborted) {
    await sleep(againAfterMs, undefined, { ref: false, ...(signal && { signal }) }).catch(() => {});
    const isSettled = await settle().then(
      () => true,
      () => false,
    );
    if (isSettled) return;
  }
}

async function setFault(
  adminPort: number,
  target: string,
  { grpcStatus, percent, delayMs = 0 }: RpcFault,
): Promise<void> {
  const keys = faultKeys(target);
  const values: Record<string, string> = {
    [keys.abortPercent]: String(grpcStatus === undefined ? 0 : percent),
    [keys.abortStatus]: String(grpcStatus ?? 0),
    [keys.delayPercent]: String(delayMs > 0 ? percent : 0),
    [keys.delayMs]: String(delayMs),
  };
  await adminPage(adminPort, `/runtime_modify?${new URLSearchParams(values)}`, "POST");
}
