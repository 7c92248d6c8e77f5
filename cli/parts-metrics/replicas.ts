import type { Position } from "#kit/db/position.ts";
import { ReplicaLag } from "#kit/db/replica-lag.ts";
import type { Family } from "#observability/exposition.ts";
import { readReplayed } from "../runner/db/server-statistics.ts";
import { family } from "./families.ts";

/** A replica of the server, and the URL of an account of it. */
export interface ReplicaSource {
  name: string;
  url: string;
}

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
          labels: { application_name: name },
          isUp: replayed !== undefined,
          bytes,
          seconds: Math.max(0, lag.at(now)) / 1000,
        };
      }),
    );
    return [
      family(
        "gauge",
        "pg_replica_up",
        "Whether a replica answers",
        rows.map(({ labels, isUp }) => [labels, isUp ? 1 : 0]),
      ),
      family(
        "gauge",
        "pg_replication_lag_seconds",
        "Age of what a replica shows, by what its primary had at which time",
        rows.flatMap(({ labels, seconds }) => (Number.isFinite(seconds) ? [[labels, seconds] as const] : [])),
      ),
      family(
        "gauge",
        "pg_replication_lag_bytes",
        "Bytes of the log that a replica has not replayed",
        rows.flatMap(({ labels, bytes }) => (bytes === undefined ? [] : [[labels, Math.max(0, bytes)] as const])),
      ),
    ];
  }
}
