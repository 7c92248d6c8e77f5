import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { copyFile, readFile } from "node:fs/promises";
import { join } from "node:path";
import { fillCache } from "../../cli/runner/parts/cache.ts";
import { findOnMachine, runTool } from "../../cli/runner/parts/program.ts";
import { pinsFolder } from "../../cli/runner/parts/versions.ts";

const command = "github.com/fullstorydev/grpcurl/cmd/grpcurl";
const pins = join(pinsFolder, "grpcurl");
let built: Promise<string> | undefined;

/** The folder that has the program `grpcurl`, of the version that deploy/parts pins; built once for all checkouts. */
export function grpcurlFolder(): Promise<string> {
  built ??= build();
  return built;
}

async function build(): Promise<string> {
  const sums = await readFile(join(pins, "go.sum"));
  const name = `grpcurl-${createHash("sha256").update(sums).digest("hex").slice(0, 16)}`;
  return fillCache(name, async (draft) => {
    const go = await findOnMachine("go", ["/usr/local/go/bin", "/opt/homebrew/bin"]);
    if (go === undefined) throw new Error("there is no Go to build grpcurl with: install Go 1.25 or newer");
    for (const file of ["go.mod", "go.sum"]) await copyFile(join(pins, file), join(draft, file));
    const flags = ["-mod=readonly", "-trimpath", "-ldflags=-s -w", "-o", "grpcurl"];
    const env = { GOWORK: "off", GOFLAGS: "", GONOSUMDB: "*", CGO_ENABLED: "0" };
    await runTool(go, ["build", ...flags, command], { cwd: draft, env, nice: true });
  });
}

export interface Grpcurled {
  /** 0, or 64 and the status of gRPC. */
  code: number;
  stdout: string;
  stderr: string;
}

/** Runs grpcurl, without TLS, to its end. */
export async function grpcurl(...args: string[]): Promise<Grpcurled> {
  const program = join(await grpcurlFolder(), "grpcurl");
  return new Promise((resolve) => {
    execFile(program, ["-plaintext", ...args], { timeout: 30_000 }, (error, stdout, stderr) => {
      resolve({ code: typeof error?.code === "number" ? error.code : error ? 1 : 0, stdout, stderr });
    });
  });
}
