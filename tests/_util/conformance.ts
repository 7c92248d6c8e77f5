import { createHash } from "node:crypto";
import { copyFile, readFile } from "node:fs/promises";
import { join } from "node:path";
import { fillCache } from "../../cli/runner/parts/cache.ts";
import { findOnMachine, runTool } from "../../cli/runner/parts/program.ts";
import { pinsFolder } from "../../cli/runner/parts/versions.ts";

const command = "connectrpc.com/conformance/cmd/connectconformance";
const pins = join(pinsFolder, "conformance");

/** The runner of the Connect conformance suite, of the version that deploy/parts pins; built once for all checkouts. */
export async function conformanceRunner(): Promise<string> {
  const sums = await readFile(join(pins, "go.sum"));
  const name = `conformance-${createHash("sha256").update(sums).digest("hex").slice(0, 16)}`;
  const folder = await fillCache(name, async (draft) => {
    const go = await findOnMachine("go", ["/usr/local/go/bin", "/opt/homebrew/bin"]);
    if (go === undefined)
      throw new Error("there is no Go to build the conformance suite with: install Go 1.26 or newer");
    for (const file of ["go.mod", "go.sum"]) await copyFile(join(pins, file), join(draft, file));
    const flags = ["-mod=readonly", "-trimpath", "-ldflags=-s -w", "-o", "connectconformance"];
    const env = { GOWORK: "off", GOFLAGS: "", GONOSUMDB: "*", CGO_ENABLED: "0" };
    await runTool(go, ["build", ...flags, command], { cwd: draft, env, nice: true });
  });
  return join(folder, "connectconformance");
}
