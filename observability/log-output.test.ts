import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";

const folder = mkdtempSync(join(tmpdir(), "taskmesh-log-"));
const errorFile = join(folder, "test-1.error.log");
afterAll(() => rmSync(folder, { recursive: true }));

const module = new URL("logger.ts", import.meta.url).href;

/** Runs a program that logs, and answers with its lines and how it ended. */
async function run(body: string, onLine?: (text: string, kill: () => void) => void, file = errorFile) {
  const program = `import { createLogger } from ${JSON.stringify(module)};
    const log = createLogger({ level: "info", service: "test", instanceId: "test-1", errorFile: process.env.ERROR_FILE }); ${body}`;
  const child = spawn(process.execPath, ["--input-type=module", "--eval", program], {
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...process.env, ERROR_FILE: file },
  });
  let text = "";
  let errors = "";
  child.stderr.setEncoding("utf8").on("data", (piece: string) => {
    errors += piece;
  });
  child.stdout.setEncoding("utf8").on("data", (piece: string) => {
    text += piece;
    onLine?.(text, () => child.kill("SIGKILL"));
  });
  const [code, signal] = await once(child, "close");
  return { messages: messagesOf(text), errors: messagesOf(errors), code, signal };
}

const messagesOf = (text: string): string[] =>
  text
    .split("\n")
    .filter((line) => line.startsWith("{"))
    .map((line) => (JSON.parse(line) as { message: string }).message);

describe("the output of logs", () => {
  it("has every line of a process that ends by itself, in order", async () => {
    const { messages } = await run("for (let n = 0; n < 500; n++) log.info('line ' + n);");
    expect(messages).toEqual(Array.from({ length: 500 }, (_, n) => `line ${n}`));
  });

  it.each([
    ["exits", "process.exit(3)", 3],
    ["throws", "throw new Error('broken')", 1],
  ])("has every line of a process that %s", async (_how, end, code) => {
    const ended = await run(`log.info("one"); log.warn("two"); ${end};`);
    expect(ended).toMatchObject({ messages: ["one", "two"], code });
  });

  it("has what came before an error, and the error, although the process is killed right after", async () => {
    const { messages, errors, signal } = await run(
      `log.info("before"); log.error("broken"); log.info("lost"); process.kill(process.pid, "SIGKILL");`,
    );
    expect(signal).toBe("SIGKILL");
    expect([messages, errors]).toEqual([["before"], ["broken"]]);
  });

  it("keeps errors apart: on standard error, and in a file that may be cut while it is open", async () => {
    writeFileSync(errorFile, "");
    const cut = `(await import("node:fs")).truncateSync(process.env.ERROR_FILE)`;
    const { messages, errors } = await run(
      `log.warn("close"); log.error("first"); ${cut}; log.fatal("last"); log.info("on")`,
    );
    expect([messages, errors]).toEqual([
      ["close", "on"],
      ["first", "last"],
    ]);
    expect(messagesOf(readFileSync(errorFile, "utf8"))).toEqual(["last"]);
  });

  it.each(["/dev/full", join(folder, "nowhere", "errors.log")])(
    "goes on without a file that takes nothing: %s",
    async (file) => {
      const body = `process.on("uncaughtException", () => process.exit(9)); log.error("first"); log.error("last")`;
      expect(await run(body, undefined, file)).toMatchObject({ errors: ["first", "last"], code: 0 });
    },
  );

  it("waits for no disk", async () => {
    const count = `const { default: fs } = await import("node:fs"); let syncs = 0;
      fs.fsyncSync = () => { syncs++; }; process.on("exit", () => process._rawDebug(JSON.stringify({ message: syncs + " syncs" })));`;
    const { messages, errors } = await run(
      `${count} log.info("one"); log.error("broken"); log.info("two"); await new Promise((end) => setTimeout(end, 150)); log.info("three")`,
    );
    expect([messages, errors]).toEqual([
      ["one", "two", "three"],
      ["broken", "0 syncs"],
    ]);
  });

  it("does not keep a line for long while the process goes on", async () => {
    const { messages } = await run(`log.info("soon"); setInterval(() => {}, 1000);`, (text, kill) => {
      if (text.includes("soon")) kill();
    });
    expect(messages).toEqual(["soon"]);
  });
});
