#!/usr/bin/env node
import { main, prepare, runInstead } from "./bootstrap.mjs";

await main(async () => {
  const [command, ...args] = process.argv.slice(2);
  if (command === undefined) {
    process.stderr.write("usage: node cli/bin/run.mjs <program> [arguments]\n");
    process.exit(1);
  }
  await prepare();
  await runInstead(command, args);
});
