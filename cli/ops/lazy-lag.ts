import type { LagReader } from "../lag/read-lag.ts";
import type { LagSource } from "./source.ts";

/** A reader of lags whose client of Kafka is not even loaded before somebody looks. */
export function lazyLag(brokers: string[]): LagSource {
  let reader: LagReader | undefined;
  let closed = false;
  return {
    async read() {
      const { openLagReader } = await import("../lag/read-lag.ts");
      if (closed) return [];
      reader ??= openLagReader({ brokers });
      return reader.read();
    },
    async close() {
      closed = true;
      await reader?.close();
    },
  };
}
