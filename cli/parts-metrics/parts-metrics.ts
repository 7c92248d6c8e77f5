import { setTimeout as sleep } from "node:timers/promises";
import { renderFamilies } from "#observability/exposition.ts";
import { type GroupLag, type LagReader, openLagReader } from "../lag/read-lag.ts";
import { kafkaFamilies } from "./kafka.ts";
import { diskFamilies, type PartProcess, processFamilies } from "./machine.ts";
import { postgresFamilies } from "./postgres.ts";
import { redisFamilies } from "./redis.ts";
import { type ReplicaSource, ReplicaWatch } from "./replicas.ts";

/** Where the parts are; what is left out is not told of. */
export interface PartSources {
  /** URL of an account that sees all sessions. */
  postgres?: string | undefined;
  /** Replicas of that server. */
  replicas?: readonly ReplicaSource[] | undefined;
  redis?: string | undefined;
  /** host:port of brokers, with commas between them. */
  kafka?: string | undefined;
  /** The folder whose disk is watched. */
  dataFolder?: string | undefined;
  /** Programs whose CPU time and memory are told. */
  processes?: readonly PartProcess[] | undefined;
}

export interface PartsMetrics {
  /** Prometheus' text format 0.0.4. Never rejects: a part that is away is told of by `pg_up 0`, `redis_up 0` or `kafka_up 0`. */
  read(): Promise<string>;
  close(): Promise<void>;
}

const lookEveryMs = 1000;
/** A Kafka that takes longer must not hold back what the other parts say. */
const patienceMs = 4000;

/**
 * The parts under the names of postgres_exporter, redis_exporter, kafka_exporter, node_exporter and process-exporter, so
 * that the same dashboards serve a mesh with and without these. Looks at most once a second, however many ask.
 */
export function openPartsMetrics(sources: () => PartSources): PartsMetrics {
  const brokers = sources().kafka?.split(",");
  const lagReader = brokers && openLagReader({ brokers, clientId: "parts-metrics" });
  const watch = new ReplicaWatch();
  let look: { time: number; text: Promise<string> } | undefined;
  let asking: Promise<GroupLag[] | undefined> | undefined;
  /** One question at a time: a Kafka that hangs is not asked again meanwhile. */
  const readLags = (reader: LagReader) => {
    asking ??= reader
      .read()
      .catch(() => undefined)
      .finally(() => {
        asking = undefined;
      });
    return Promise.race([asking, sleep(patienceMs, undefined, { ref: false })]);
  };
  return {
    read() {
      if (look === undefined || performance.now() - look.time > lookEveryMs) {
        look = { time: performance.now(), text: readAll(sources(), watch, lagReader && readLags(lagReader)) };
      }
      return look.text;
    },
    close: async () => lagReader?.close(),
  };
}

async function readAll(
  { postgres, replicas = [], redis, dataFolder, processes }: PartSources,
  watch: ReplicaWatch,
  lags: Promise<GroupLag[] | undefined> | undefined,
): Promise<string> {
  const families = await Promise.all([
    postgres === undefined ? [] : postgresFamilies({ url: postgres, replicas, watch }),
    redis === undefined ? [] : redisFamilies(redis),
    lags === undefined ? [] : kafkaFamilies(await lags),
    dataFolder === undefined ? [] : diskFamilies(dataFolder),
    processes === undefined ? [] : processFamilies(processes),
  ]);
  return renderFamilies(families.flat(), "text");
}
