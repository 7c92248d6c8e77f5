import { runMain } from "#kit/lifecycle.ts";
import { readConfig } from "./config.ts";
import { startGateway } from "./server.ts";

await runMain("gateway", async (lifecycle) => {
  await startGateway(readConfig(), lifecycle);
});
