import type { Sample } from "../metrics/parse.ts";
import type { Finding } from "./finding.ts";
import type { Look } from "./look.ts";

type Labels = Readonly<Record<string, string>>;

/** The most connections to Redis that one process of ours opens. */
const redisConnectionsEach = 8;
const slowQuerySeconds = 30;
const oldEventSeconds = 10;
/** Fewer may end at once by chance. */
const manyStreams = 10;
const lateReplicaSeconds = 10;

/** What ails a running mesh, from two looks a few seconds apart. Every check is among the findings, the healthy ones too. */
export function symptoms(before: Look, after: Look): Finding[] {
  return [
    silentMembers(after),
    restarts(after),
    exhaustedPools(before, after),
    databaseConnections(after),
    slowQueries(after),
    replicas(after),
    redisConnections(after),
    redisMemory(after),
    droppedStreams(before, after),
    unsharedLimits(before, after),
    kafka(after),
    stuckLag(before, after),
    oldEvents(after),
    deadLetters(after),
    fullHeaps(after),
    dataDisk(after),
  ];
}

function silentMembers({ members }: Look): Finding {
  const silent = [...members].filter(([, samples]) => samples.length === 0).map(([name]) => name);
  return {
    check: "processes",
    ok: silent.length === 0,
    finding: silent.length === 0 ? `${members.size} answer` : `no answer from ${silent.join(", ")}`,
    advice:
      "its event loop hangs or it is starting: `npx mesh logs` of it, then `npx mesh release rolling` of its service",
  };
}

function restarts({ instances }: Look): Finding {
  const often = instances.filter(({ restarts }) => restarts >= 3);
  const told = often.map(({ name, restarts, lastFault }) => `${name} ${restarts} times (${lastFault ?? "no reason"})`);
  return {
    check: "restarts",
    ok: often.length === 0,
    finding: told.join("; ") || "none three times or more",
    advice: "look at the last lines of `npx mesh logs --errors` of it",
  };
}

/** Callers waited for a connection both times: the pool is full, not only busy for a moment. */
function exhaustedPools(before: Look, after: Look): Finding {
  const waiting = (look: Look, name: string) => sum(look.members.get(name), "db_client_connection_pending_requests");
  const full = [...after.members.keys()].filter((name) => waiting(before, name) > 0 && waiting(after, name) > 0);
  const told = full.map((name) => `${waiting(after, name)} wait in ${name}`);
  return {
    check: "database pools",
    ok: full.length === 0,
    finding: told.join(", ") || "nobody waits for a connection",
    advice:
      "find the slow statements (`npx mesh top`, `npx mesh trace last`); then more instances, or a larger DB_POOL_MAX",
  };
}

function databaseConnections({ parts }: Look): Finding {
  const open = sum(parts, "pg_stat_activity_count");
  const most = sum(parts, "pg_settings_max_connections");
  // Where each service was given a database of its own, nobody may ask the server.
  const isAsked = parts.length === 0 || parts.some(named("pg_up"));
  const answer = has(parts, "pg_up", 1) ? `${open} of ${most}` : "it does not answer";
  return {
    check: "PostgreSQL's connections",
    ok: !isAsked || (has(parts, "pg_up", 1) && open < 0.8 * most),
    finding: isAsked ? answer : "not told",
    advice: "lower DB_POOL_MAX or the number of instances, or raise max_connections",
  };
}

function slowQueries({ parts }: Look): Finding {
  const longest = parts
    .filter(({ name, labels }) => name === "pg_stat_activity_max_tx_duration" && labels.state !== "idle")
    .filter(({ value }) => value > slowQuerySeconds)
    .map(({ labels, value }) => `${Math.round(value)} s in ${labels.datname} (${labels.state})`);
  return {
    check: "slow transactions",
    ok: longest.length === 0,
    finding: longest.join(", ") || `none over ${slowQuerySeconds} s`,
    advice:
      "see pg_stat_activity for its query; end it by pg_terminate_backend(pid). While it lasts, events wait behind it",
  };
}

function replicas({ parts }: Look): Finding {
  const away = parts.filter(named("pg_replica_up")).filter((sample) => sample.value === 0);
  const late = parts
    .filter(named("pg_replication_lag_seconds"))
    .filter(
      (sample) => sample.value > lateReplicaSeconds && !away.some(({ labels }) => sameReplica(labels, sample.labels)),
    );
  const told = [
    ...away.map(({ labels }) => `${labels.application_name} does not answer`),
    ...late.map((sample) => `${sample.labels.application_name} is ${Math.round(sample.value)} s behind`),
  ];
  const count = parts.filter(named("pg_replica_up")).length;
  return {
    check: "read replicas",
    ok: told.length === 0,
    finding: told.join(", ") || (count === 0 ? "none" : `${count} follow`),
    advice:
      "reads go to the primary meanwhile. `npx mesh logs postgres-replica`; one that was away for too long is copied anew " +
      "when it starts again: `npx mesh fault kill` it",
  };
}

function sameReplica(one: Labels, other: Labels): boolean {
  return one.application_name === other.application_name;
}

function redisConnections({ parts, members }: Look): Finding {
  const open = sum(parts, "redis_connected_clients");
  const most = redisConnectionsEach * members.size + 16;
  return {
    check: "Redis' connections",
    ok: has(parts, "redis_up", 1) && open <= most && sum(parts, "redis_rejected_connections_total") === 0,
    finding: has(parts, "redis_up", 1) ? `${open}, at most ${most} are expected` : "it does not answer",
    advice: "`redis-cli client list` shows whose they are: a program that opens without closing leaks them",
  };
}

function redisMemory({ parts }: Look): Finding {
  const evicted = sum(parts, "redis_evicted_keys_total");
  const used = sum(parts, "redis_memory_used_bytes");
  const most = sum(parts, "redis_memory_max_bytes");
  return {
    check: "Redis' memory",
    ok: evicted === 0 && (most === 0 || used < 0.8 * most),
    finding: `${Math.round(used / 2 ** 20)} MiB used, ${evicted} keys evicted`,
    advice: "give it more memory (maxmemory): limits and revocations that are evicted are forgotten",
  };
}

/** Clients end their streams one by one; half of many at once is a fault between them and the services. */
function droppedStreams(before: Look, after: Look): Finding {
  const [then, now] = [before, after].map((look) => sumAll(look, "taskmesh_gateway_streams")) as [number, number];
  return {
    check: "live streams",
    ok: then < manyStreams || now > then / 2,
    finding: `${now} open, ${then} a moment ago`,
    advice:
      "a gateway or Envoy was started again, or Redis or a notification service is away: see their checks, and `npx mesh " +
      "logs gateway --errors`. Clients come back by themselves, and go on behind the last message that they had",
  };
}

/** Calls that a gateway counted in its own memory just now: the gateways do not share their limits. */
function unsharedLimits(before: Look, after: Look): Finding {
  const alone = (look: Look) => sumAll(look, "taskmesh_limits_calls_total", { taskmesh_limits_store: "memory" });
  const calls = alone(after) - alone(before);
  return {
    check: "shared rate limits",
    ok: calls <= 0,
    finding: calls > 0 ? `${calls} calls were counted by each gateway for itself` : "counted in Redis",
    advice: "Redis is away, slow or not the same for all gateways: see the checks of Redis, and REDIS_URL",
  };
}

function kafka({ parts }: Look): Finding {
  const ok = has(parts, "kafka_up", 1);
  return {
    check: "Kafka",
    ok,
    finding: ok ? "answers" : "does not answer",
    advice: "`npx mesh ps` and `npx mesh logs kafka`; writes go on, and their events wait in the outbox",
  };
}

/** Events wait, and the group has not moved between the looks. Retry topics wait by design. */
function stuckLag(before: Look, after: Look): Finding {
  const key = ({ labels }: Sample) => `${labels.consumergroup}/${labels.topic}/${labels.partition}`;
  const places = (look: Look, name: string) =>
    new Map(
      look.parts
        .filter((sample) => sample.name === name && !sample.labels.topic?.includes(".retry-"))
        .map((sample) => [key(sample), sample.value]),
    );
  const [then, now] = [before, after].map((look) => places(look, "kafka_consumergroup_current_offset"));
  const [lagThen, lag] = [before, after].map((look) => places(look, "kafka_consumergroup_lag"));
  const stuck = [...(lag ?? [])].filter(
    ([place, waiting]) => waiting > 0 && (lagThen?.get(place) ?? 0) > 0 && then?.get(place) === now?.get(place),
  );
  const told = stuck.slice(0, 3).map(([place, waiting]) => `${waiting} in ${place}`);
  return {
    check: "lag without progress",
    ok: stuck.length === 0,
    finding: told.join(", ") || "every group moves",
    advice:
      "`npx mesh logs consumers --errors`; a handler hangs or its database is away. Is any instance ready (`npx mesh ps`)?",
  };
}

function oldEvents(look: Look): Finding {
  const oldest = Math.max(
    0,
    ...[...look.members.values()].flat().filter(named("taskmesh_outbox_lag_seconds")).map(value),
  );
  return {
    check: "outbox",
    ok: oldest < oldEventSeconds,
    finding: `the oldest event that is not sent has waited ${oldest.toFixed(1)} s`,
    advice:
      "Kafka is away, or a long transaction holds the relay back: see the checks of Kafka and of slow transactions",
  };
}

/** Every member of a group tells how many of the group's wait. */
function deadLetters({ members }: Look): Finding {
  const samples = [...members.values()].flat().filter(named("taskmesh_event_dead_letters_waiting"));
  const byGroup = Map.groupBy(samples, ({ labels }) => labels.messaging_consumer_group_name ?? "");
  const waiting = [...byGroup].flatMap(([group, counts]) => {
    const most = Math.max(...counts.map(value));
    return most > 0 ? [`${most} of ${group}`] : [];
  });
  return {
    check: "dead letters",
    ok: waiting.length === 0,
    finding: waiting.join(", ") || "none wait",
    advice:
      "`npx mesh dlq list` says why; mend the cause, then `npx mesh dlq redrive GROUP --all` sends them back (docs/dead-letters.md)",
  };
}

/** What stays after garbage collection nears the limit: a leak, or too small a limit. */
function fullHeaps({ members }: Look): Finding {
  const full = [...members].flatMap(([name, samples]) => {
    const share = sum(samples, "v8js_memory_heap_used_bytes") / sum(samples, "v8js_memory_heap_limit_bytes");
    return share > 0.85 ? [`${name} ${Math.round(share * 100)} %`] : [];
  });
  return {
    check: "heaps",
    ok: full.length === 0,
    finding: full.join(", ") || "all under 85 % of their limit",
    advice: "if it only grows it is a leak: `npx mesh release rolling` of it gives time to look for it",
  };
}

function dataDisk({ parts }: Look): Finding {
  const [size, free] = [sum(parts, "node_filesystem_size_bytes"), sum(parts, "node_filesystem_avail_bytes")];
  return {
    check: "disk of the data",
    ok: size === 0 || free > Math.max(0.1 * size, 2 ** 30),
    finding: size === 0 ? "not told" : `${(free / 2 ** 30).toFixed(1)} of ${(size / 2 ** 30).toFixed(0)} GiB free`,
    advice: "make room: PostgreSQL and Kafka stop when there is none",
  };
}

const value = (sample: Sample): number => sample.value;
const named = (name: string) => (sample: Sample) => sample.name === name;

function has(samples: readonly Sample[], name: string, wished: number): boolean {
  return samples.some((sample) => sample.name === name && sample.value === wished);
}

function sum(samples: readonly Sample[] = [], name: string, labels: Labels = {}): number {
  const matches = (sample: Sample) =>
    Object.entries(labels).every(([label, wished]) => sample.labels[label] === wished);
  return samples
    .filter((sample) => sample.name === name && matches(sample))
    .reduce((total, one) => total + one.value, 0);
}

function sumAll({ members }: Look, name: string, labels: Labels = {}): number {
  return [...members.values()].reduce((total, samples) => total + sum(samples, name, labels), 0);
}
