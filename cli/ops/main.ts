// The pages for operators of a mesh in containers; natively the runner serves them itself.
import { openPartsMetrics } from "../parts-metrics/parts-metrics.ts";
import { messageOf } from "../user-error.ts";
import { readOpsConfig } from "./config.ts";
import { dnsSource } from "./dns-source.ts";
import { lazyLag } from "./lazy-lag.ts";
import { startOpsServer } from "./server.ts";
import { Watch } from "./watch.ts";

try {
  const config = readOpsConfig();
  const { postgresUrl: postgres, redisUrl: redis, brokers } = config;
  const parts = openPartsMetrics(() => ({ postgres, redis, kafka: brokers.join(",") }));
  const server = await startOpsServer({
    ...config,
    watch: new Watch({ source: dnsSource(config), openLag: lazyLag }),
    partsMetrics: () => parts.read(),
  });
  const stop = async () => {
    await server.close();
    await parts.close();
    process.exit(0);
  };
  process.once("SIGTERM", stop);
  process.once("SIGINT", stop);
} catch (error) {
  process.stderr.write(`ops: ${messageOf(error)}\n`);
  process.exit(1);
}
