import { runMain } from "#kit/lifecycle.ts";
import { readConfig } from "./config.ts";
import { startService } from "./service.ts";

await runMain("task", async (lifecycle) => {
  await startService(readConfig(), lifecycle);
});
