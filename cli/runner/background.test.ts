import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync } from "node:fs";
import { getPriority } from "node:os";
import { expect, test } from "vitest";
import { runInBackground } from "./background.ts";

test("a program in the background goes after the others, its session too", async () => {
  const child = spawn(process.execPath, ["-e", "process.stdin.resume()"], { detached: true });
  const pid = child.pid as number;
  try {
    runInBackground(pid);
    expect(getPriority(pid)).toBe(10);
    const session = `/proc/${pid}/autogroup`;
    if (existsSync(session)) expect(readFileSync(session, "utf8")).toMatch(/nice 10$/m);
  } finally {
    child.kill("SIGKILL");
    await once(child, "exit");
  }
  // It may have ended by then.
  expect(() => runInBackground(pid)).not.toThrow();
});
