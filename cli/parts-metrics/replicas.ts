import type { Position } from "#kit/db/position.ts";
import { ReplicaLag } from "#kit/db/replica-lag.ts";
import type { Family } from "#observability/exposition.ts";
import { readReplayed } from "../runner/db/server-statistics.ts";
import { type Column, table } from "./families.ts";

/** A replica of the server, and the URL of an account of it. */
export interface ReplicaSource {
  name: string;
  url: string;
}

interface Seen {
  name: string;
  isUp: boolean;
  bytes: number | undefined;
  seconds: number;
}

const perReplica: readonly Column<Seen>[] = [
  ["gauge", "pg_replica_up", "Whether a replica answers", ({ isUp }) => isUp],
  [
    "gauge",
    "pg_replication_lag_seconds",
    "Age of what a replica shows, by what its primary had at which time",
    ({ seconds }) => seconds,
  ],
  ["gauge", "pg_replication_lag_bytes", "Bytes of the log that a replica has not replayed", ({ bytes }) => bytes],
];

/** How far the replicas are behind their primary, from look to look. */
export class ReplicaWatch {
  readonly #lags = new Map<string, ReplicaLag>();

  /** `position`: of the primary, read just now; undefined when it does not answer. */
  async families(replicas: readonly ReplicaSource[], position: Position | undefined): Promise<Family[]> {
    if (replicas.length === 0) return [];
    const now = performance.now();
    const rows = await Promise.all(
      replicas.map(async ({ name, url }) => {
        const lag = this.#lags.get(name) ?? new ReplicaLag();
        this.#lags.set(name, lag);
        if (position !== undefined) lag.primaryAt(now, position);
        const replayed = await readReplayed(url, position ?? 0n);
        if (replayed !== undefined) lag.replayed(replayed);
        const bytes = replayed === undefined || position === undefined ? undefined : Number(position - replayed);
        return {
          name,
          isUp: replayed !== undefined,
          bytes,
          seconds: Math.max(0, lag.at(now)) / 1000,
        };
      }),
    );
    return table(rows, ({ name }) => ({ application_name: name }), perReplica);
  }
}
