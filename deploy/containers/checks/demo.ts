import { fileURLToPath } from "node:url";
import { run } from "../command.ts";
import type { Stack } from "../stack.ts";

/** What `npm run demo` does, against the containers. */
export async function demo({ environment }: Stack): Promise<string[]> {
  const main = fileURLToPath(new URL("../../../cli/demo/main.ts", import.meta.url));
  const output = await run(process.execPath, [main], { env: environment });
  return output.split("\n");
}
