import { faultKeys } from "../../../envoy/faults.ts";
import { allRpcs } from "../../../envoy/rpcs.ts";
import { UserError } from "../../user-error.ts";
import type { Fault } from "./fault.ts";
import type { Heal } from "./process-faults.ts";

/** Has Envoy abort or delay a share of the calls of one RPC, by its admin page: no restart. */
export async function faultRpc(adminPort: number, fault: Extract<Fault, { kind: "rpc" }>): Promise<Heal> {
  const { target, grpcStatus, percent, delayMs = 0 } = fault;
  if (!allRpcs().some(({ path }) => path === `/${target}`)) {
    throw new UserError(`There is no RPC "${target}": write it as task.v1.TaskService/CreateTask`);
  }
  const keys = faultKeys(target);
  const set = (values: Record<string, number>) => modifyRuntime(adminPort, values);
  await set({
    [keys.abortPercent]: grpcStatus === undefined ? 0 : percent,
    [keys.abortStatus]: grpcStatus ?? 0,
    [keys.delayPercent]: delayMs > 0 ? percent : 0,
    [keys.delayMs]: delayMs,
  });
  return () => set({ [keys.abortPercent]: 0, [keys.delayPercent]: 0 }).catch(() => {});
}

async function modifyRuntime(adminPort: number, values: Record<string, number>): Promise<void> {
  const query = new URLSearchParams(
    Object.entries(values).map(([key, value]): [string, string] => [key, String(value)]),
  );
  const response = await fetch(`http://127.0.0.1:${adminPort}/runtime_modify?${query}`, {
    method: "POST",
    signal: AbortSignal.timeout(2000),
  }).catch(() => undefined);
  if (!response?.ok) throw new UserError("Envoy does not take the fault: see its log, envoy.log");
}
