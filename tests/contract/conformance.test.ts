import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { conformanceRunner } from "../_util/conformance.ts";
import type { ConformanceEdge } from "./conformance/edge.ts";

const folder = fileURLToPath(new URL("./conformance/", import.meta.url));

let runner: string;
let edge: ConformanceEdge;

beforeAll(async () => {
  runner = await conformanceRunner();
  // Errors are what the suite asks for.
  process.env.LOG_LEVEL = "fatal";
  const { startConformanceEdge } = await import("./conformance/edge.ts");
  edge = await startConformanceEdge();
});
afterAll(() => edge?.stop());

test("[edge.02] Connect, gRPC-Web and gRPC on one port pass the conformance suite of Connect", async () => {
  const { code, output } = await run();
  const [, total = 0] = /Total cases: (\d+)/.exec(output) ?? [];
  const [, passed = 0, failed] = /^(\d+) passed, (\d+) failed/m.exec(output) ?? [];
  const [, known = 0] = /(\d+) failed as expected/.exec(output) ?? [];
  process.stdout.write(`conformance: ${passed} of ${total} cases passed, ${known} known to fail\n`);
  expect(code, output.slice(-20_000)).toBe(0);
  expect(failed).toBe("0");
  expect(Number(passed)).toBeGreaterThan(1000);
});

async function run(): Promise<{ code: number | null; output: string }> {
  const server = [process.execPath, `${folder}server.ts`, String(edge.port), String(edge.tlsPort), edge.certFile];
  const settings = ["--mode", "server", "--conf", `${folder}config.yaml`];
  const known = ["--known-failing", `@${folder}known-failing.txt`];
  const child = spawn(runner, [...settings, ...known, "--parallel", "8", "--", ...server], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (text: string) => {
      output += text;
    });
  }
  const code = await new Promise<number | null>((resolve) => child.once("close", resolve));
  return { code, output };
}
