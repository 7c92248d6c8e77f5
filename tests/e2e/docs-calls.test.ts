import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { delimiter } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { grpcurlFolder } from "../_util/grpcurl.ts";
import { TestMesh } from "../_util/mesh.ts";

interface Block {
  /** The line of the document where it begins. */
  line: number;
  kind: string;
  text: string;
}

/** A command of the document and what is shown below it; undefined where nothing is. */
interface Step {
  command: Block;
  shown: Block | undefined;
}

const path = fileURLToPath(new URL("../../docs/calls.md", import.meta.url));
const steps = stepsOf(blocksOf(readFileSync(path, "utf8")));

let mesh: TestMesh;
let outputs: string[];
beforeAll(async () => {
  const [folder, started] = await Promise.all([grpcurlFolder(), TestMesh.start()]);
  mesh = started;
  outputs = await runAll(steps, {
    ...mesh.environment,
    EDGE: mesh.edge,
    PATH: `${folder}${delimiter}${process.env.PATH}`,
  });
});
afterAll(() => mesh?.stop());

describe("docs/calls.md", () => {
  test("has the calls that a newcomer needs, by curl and by grpcurl", () => {
    expect(steps.length).toBeGreaterThan(30);
    expect(steps.filter(({ command }) => command.text.includes("grpcurl")).length).toBeGreaterThan(4);
    expect(steps.filter(({ shown }) => shown === undefined)).toHaveLength(1);
  });

  test.each(steps.map((step, index) => ({ ...step, index, line: step.command.line })))(
    "line $line answers what is shown",
    ({ shown, index, command }) => {
      if (shown !== undefined) compare(outputs[index] ?? "", shown, command.text);
    },
  );
});

function blocksOf(markdown: string): Block[] {
  return [...markdown.matchAll(/^```(\w+)\n([\s\S]*?)^```$/gm)].map(({ 1: kind = "", 2: text = "", index }) => ({
    line: markdown.slice(0, index).split("\n").length,
    kind,
    text,
  }));
}

function stepsOf(blocks: Block[]): Step[] {
  return blocks.flatMap((command, index) => {
    if (command.kind !== "sh") return [];
    const next = blocks[index + 1];
    return [{ command, shown: next?.kind === "sh" ? undefined : next }];
  });
}

const mark = "--- that was step";

/** Runs all commands in one shell, as a reader would, and answers with what each of them printed. */
async function runAll(all: Step[], environment: NodeJS.ProcessEnv): Promise<string[]> {
  const script = all.map(({ command }, index) => `${command.text}\nprintf '\\n${mark} ${index}\\n'\n`).join("");
  const shell = spawn("bash", ["-s"], { env: environment, stdio: ["pipe", "pipe", "inherit"] });
  let output = "";
  shell.stdout.setEncoding("utf8").on("data", (text: string) => {
    output += text;
  });
  shell.stdin.end(script);
  await new Promise((resolve) => shell.once("close", resolve));
  let rest = output;
  return all.map((_, index) => {
    const [own = "", ...others] = rest.split(`\n${mark} ${index}\n`);
    rest = others.join(`\n${mark} ${index}\n`);
    return own;
  });
}

function compare(output: string, { kind, text }: Block, command: string): void {
  if (kind === "json") expect(parsed(output), command).toMatchObject(expectation(text));
  else if (kind === "text") expectLines(output, text, command);
  else {
    const [head = "", body = "{}"] = text.split("\n\n");
    const [answeredHead = "", answeredBody = ""] = output.replaceAll("\r", "").split("\n\n");
    expectLines(answeredHead, head, command);
    expect(parsed(answeredBody), command).toMatchObject(expectation(body));
  }
}

function expectLines(output: string, text: string, command: string): void {
  for (const line of text.split("\n").filter((each) => each !== "")) {
    expect(output, command).toMatch(new RegExp(`^\\s*${pattern(line)}\\s*$`, "m"));
  }
}

function pattern(shown: string): string {
  return shown
    .split("…")
    .map((part) => part.replace(/[\\^$.*+?()[\]{}|]/g, "\\$&"))
    .join(".*");
}

function parsed(output: string): object {
  try {
    return JSON.parse(output);
  } catch {
    return { "this is no JSON": output };
  }
}

/** The JSON that is shown, with texts that have "…" in them as patterns. */
function expectation(text: string): object {
  return JSON.parse(text, (_key, value) =>
    typeof value === "string" && value.includes("…") ? expect.stringMatching(new RegExp(`^${pattern(value)}$`)) : value,
  );
}
