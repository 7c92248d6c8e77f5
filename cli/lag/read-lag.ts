import { type GroupLag, type LagReader, openLagReader } from "#kit/events/lag.ts";

export { type GroupLag, type LagReader, openLagReader };

/**
 * How far every consumer group is behind, by partition and with its owner: one look. `brokers` are host:port.
 * Who looks again and again takes `openLagReader`, which keeps its connection.
 */
export async function readLag(brokers: string[]): Promise<GroupLag[]> {
  const reader = openLagReader({ brokers });
  try {
    return await reader.read();
  } finally {
    await reader.close();
  }
}

/** Events that each group has still to handle. */
export function lagByGroup(lags: readonly Pick<GroupLag, "group" | "lag">[]): Map<string, number> {
  const sums = new Map<string, number>();
  for (const { group, lag } of lags) sums.set(group, (sums.get(group) ?? 0) + lag);
  return sums;
}
