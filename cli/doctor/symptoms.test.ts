import { describe, expect, it } from "vitest";
import { parseMetrics } from "../metrics/parse.ts";
import type { InstanceState } from "../runner/state.ts";
import type { Look } from "./look.ts";
import { symptoms } from "./symptoms.ts";

const healthyParts = `
pg_up 1
pg_settings_max_connections 100
pg_stat_activity_count{datname="task",state="idle"} 12
pg_stat_activity_max_tx_duration{datname="task",state="active"} 0.2
pg_replica_up{application_name="postgres-replica-1"} 1
pg_replication_lag_seconds{application_name="postgres-replica-1"} 0.1
redis_up 1
redis_connected_clients 9
redis_memory_used_bytes 2e6
redis_memory_max_bytes 0
redis_evicted_keys_total 0
redis_rejected_connections_total 0
kafka_up 1
kafka_consumergroup_lag{consumergroup="email",topic="task.events.v1",partition="3"} 7
kafka_consumergroup_current_offset{consumergroup="email",topic="task.events.v1",partition="3"} 40
node_filesystem_size_bytes{mountpoint="data"} 1e11
node_filesystem_avail_bytes{mountpoint="data"} 5e10
`;
const healthyMember = `
db_client_connection_pending_requests 0
taskmesh_limits_calls_total{taskmesh_limits_store="redis"} 50
taskmesh_limits_calls_total{taskmesh_limits_store="memory"} 4
taskmesh_outbox_lag_seconds 0.1
taskmesh_event_dead_letters_waiting{messaging_consumer_group_name="email"} 0
v8js_memory_heap_used_bytes 4e7
v8js_memory_heap_limit_bytes 3e8
`;

function look(parts: string, member: string, restarts = 0): Look {
  const instance = { name: "task-1", restarts, lastFault: "exit code 1" } as InstanceState;
  return { instances: [instance], members: new Map([["task-1", parseMetrics(member)]]), parts: parseMetrics(parts) };
}

const moving = healthyParts.replace('partition="3"} 40', 'partition="3"} 41');

function unwell(before: Look, after: Look): string[] {
  return symptoms(before, after).flatMap(({ check, ok, advice }) =>
    ok ? [] : [`${check}: ${advice ? "advised" : "?"}`],
  );
}

describe("the symptoms of a running mesh [004.23]", () => {
  it("are none when all is well, and each check says what it saw", () => {
    const [before, after] = [look(healthyParts, healthyMember), look(moving, healthyMember)];
    expect(unwell(before, after)).toEqual([]);
    expect(symptoms(before, after).every(({ finding }) => finding !== "")).toBe(true);
  });

  const parts = (line: RegExp, changed: string) => [moving.replace(line, changed), healthyMember] as const;
  const member = (line: RegExp, changed: string) => [moving, healthyMember.replace(line, changed)] as const;

  it.each([
    ["database pools", ...member(/pending_requests 0/, "pending_requests 3")],
    ["PostgreSQL's connections", ...parts(/state="idle"} 12/, 'state="idle"} 81')],
    ["slow transactions", ...parts(/state="active"} 0.2/, 'state="active"} 31')],
    ["read replicas", ...parts(/replica-1"} 1/, 'replica-1"} 0')],
    ["read replicas", ...parts(/replica-1"} 0.1/, 'replica-1"} 11')],
    ["Redis' connections", ...parts(/connected_clients 9/, "connected_clients 90")],
    ["Redis' memory", ...parts(/evicted_keys_total 0/, "evicted_keys_total 1")],
    ["Kafka", ...parts(/kafka_up 1/, "kafka_up 0")],
    ["outbox", ...member(/lag_seconds 0.1/, "lag_seconds 12")],
    ["dead letters", ...member(/name="email"} 0/, 'name="email"} 1')],
    ["heaps", ...member(/heap_used_bytes 4e7/, "heap_used_bytes 2.8e8")],
    ["disk of the data", ...parts(/avail_bytes{mountpoint="data"} 5e10/, 'avail_bytes{mountpoint="data"} 9e9')],
    ["processes", moving, ""],
  ])("tell of %s", (check, changedParts, changedMember) => {
    const before = look(changedParts.replace('partition="3"} 41', 'partition="3"} 40'), changedMember);
    expect(unwell(before, look(changedParts, changedMember))).toEqual([`${check}: advised`]);
  });

  it("tell of limits that are counted in memory now, and not of those that once were", () => {
    const now = healthyMember.replace('store="memory"} 4', 'store="memory"} 9');
    expect(unwell(look(healthyParts, healthyMember), look(moving, now))).toEqual(["shared rate limits: advised"]);
  });

  it("tell of streams when half of many are gone at once, and not when few or some have ended", () => {
    const open = (count: number) => look(healthyParts, `${healthyMember}taskmesh_gateway_streams ${count}\n`);
    const moved = (count: number) => look(moving, `${healthyMember}taskmesh_gateway_streams ${count}\n`);
    expect(unwell(open(40), moved(20))).toEqual(["live streams: advised"]);
    expect(unwell(open(40), moved(21))).toEqual([]);
    expect(unwell(open(9), moved(0))).toEqual([]);
  });

  it("tell of lag only where the group does not move", () => {
    const still = look(healthyParts, healthyMember);
    expect(unwell(still, still)).toEqual(["lag without progress: advised"]);
    const waiting = look(healthyParts.replaceAll("task.events.v1", "email.retry-60s.v1"), healthyMember);
    expect(unwell(waiting, waiting)).toEqual([]);
  });

  it("tell of a process that ends again and again", () => {
    const [before, after] = [look(healthyParts, healthyMember, 3), look(moving, healthyMember, 3)];
    expect(unwell(before, after)).toEqual(["restarts: advised"]);
  });
});
