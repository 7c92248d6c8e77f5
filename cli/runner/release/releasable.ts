import { type ProcessName, processNames } from "../../topology.ts";

/** What can be released: the processes that may have several instances, and Envoy. */
export type Releasable = Exclude<ProcessName, "mail"> | "envoy";

/** Called ones before those who call them, and the door last. */
export const releasable: readonly Releasable[] = [
  "auth",
  "user",
  "task",
  "notification",
  "consumers",
  "gateway",
  "envoy",
];

export function isProcess(name: Releasable): name is Exclude<Releasable, "envoy"> {
  return processNames.includes(name as ProcessName);
}
