import { readInfo } from "#kit/redis/info.ts";
import type { Family } from "#observability/exposition.ts";
import { single } from "./families.ts";

/** Names of redis_exporter for the fields of INFO. */
const fields: readonly (readonly [Family["type"], name: string, field: string, help: string])[] = [
  ["gauge", "redis_connected_clients", "connected_clients", "Connections of clients"],
  ["gauge", "redis_blocked_clients", "blocked_clients", "Clients that wait in a blocking command"],
  ["gauge", "redis_memory_used_bytes", "used_memory", "Memory in use"],
  ["gauge", "redis_memory_used_rss_bytes", "used_memory_rss", "Resident memory"],
  ["gauge", "redis_memory_max_bytes", "maxmemory", "Memory that may be used; 0 is no limit"],
  ["gauge", "redis_instantaneous_ops_per_sec", "instantaneous_ops_per_sec", "Commands a second just now"],
  ["counter", "redis_commands_processed", "total_commands_processed", "Commands"],
  ["counter", "redis_connections_received", "total_connections_received", "Connections taken"],
  ["counter", "redis_rejected_connections", "rejected_connections", "Connections refused because of maxclients"],
  ["counter", "redis_evicted_keys", "evicted_keys", "Keys dropped because memory was full"],
  ["counter", "redis_expired_keys", "expired_keys", "Keys whose time was over"],
  ["counter", "redis_keyspace_hits", "keyspace_hits", "Keys looked up and found"],
  ["counter", "redis_keyspace_misses", "keyspace_misses", "Keys looked up and not found"],
  ["counter", "redis_net_input_bytes", "total_net_input_bytes", "Bytes read from the network"],
  ["counter", "redis_net_output_bytes", "total_net_output_bytes", "Bytes written to the network"],
  ["counter", "redis_cpu_sys_seconds", "used_cpu_sys", "CPU time in the kernel"],
  ["counter", "redis_cpu_user_seconds", "used_cpu_user", "CPU time in Redis itself"],
  ["gauge", "redis_uptime_in_seconds", "uptime_in_seconds", "Time since the start"],
];

/** Redis as redis_exporter names it. */
export async function redisFamilies(url: string): Promise<Family[]> {
  const info = await readInfo(url).catch(() => undefined);
  const up = single("gauge", "redis_up", "Whether Redis answers", info === undefined ? 0 : 1);
  if (info === undefined) return [up];
  return [up, ...fields.map(([type, name, field, help]) => single(type, name, help, Number(info.get(field) ?? 0)))];
}
