import { fileURLToPath } from "node:url";
import { buildPackage, pack } from "./build.ts";

// Makes the file that `npm publish` takes, beside this one.
const folder = fileURLToPath(new URL(".", import.meta.url));
await buildPackage(folder);
process.stdout.write(`${await pack(folder, folder)}\n`);
