/** What a front does to the connections through it. Nothing, unless a fault says otherwise. */
export interface Toxics {
  /** Milliseconds that each piece of data is late, in each direction. */
  latencyMs?: number;
  /** By so many milliseconds more or less. */
  jitterMs?: number;
  /** Bytes a second, of each connection and direction. */
  bytesPerSecond?: number;
  /** Share of the connections, 0 to 1, that are reset within a second. */
  resetShare?: number;
  /** Milliseconds by which the end of a connection is passed on late. */
  slowCloseMs?: number;
  /** "refuse": nobody listens, and what was connected is reset. "blackhole": takes connections and data, and passes nothing on. */
  cut?: "refuse" | "blackhole";
}

/** In words, for the operator: `200±200 ms late, 1000 B/s`. */
export function describeToxics(toxics: Toxics): string {
  const { latencyMs = 0, jitterMs = 0, bytesPerSecond, resetShare, slowCloseMs, cut } = toxics;
  const words = [
    latencyMs + jitterMs > 0 && `${latencyMs}${jitterMs > 0 ? `±${jitterMs}` : ""} ms late`,
    bytesPerSecond !== undefined && `${bytesPerSecond} B/s`,
    resetShare !== undefined && `${Math.round(resetShare * 100)} % of connections reset`,
    slowCloseMs !== undefined && `closes ${slowCloseMs} ms late`,
    cut === "refuse" && "refuses connections",
    cut === "blackhole" && "takes everything and answers nothing",
  ];
  return words.filter((word) => word !== false).join(", ");
}
