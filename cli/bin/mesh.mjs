#!/usr/bin/env node
import { join } from "node:path";
import { main, node, prepare, root, runInstead } from "./bootstrap.mjs";

await main(async () => {
  await prepare();
  await runInstead(node, [join(root, "cli/mesh.ts"), ...process.argv.slice(2)]);
});
