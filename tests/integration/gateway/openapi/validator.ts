import { spawn } from "node:child_process";
import { once } from "node:events";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { fillCache } from "../../../../cli/runner/parts/cache.ts";
import { findOnMachine, runTool, versionOf } from "../../../../cli/runner/parts/program.ts";
import type { OpenApiDocument, Schema } from "../../../../gateway/openapi/model.ts";

const requirement = "openapi-spec-validator==0.9.0";
const script = fileURLToPath(new URL("check.py", import.meta.url));

/** A value, where it comes from, and the schema that it has to fit. */
export type Sample = [place: string, schema: Schema, value: unknown];

/** What openapi-spec-validator and its JSON Schema have to say against a document and values; fetched on first use. */
export async function faultsOf(document: OpenApiDocument, values: Sample[]): Promise<string[]> {
  const { python, packages } = await installed();
  const checker = spawn(python, [script], {
    env: { ...process.env, PYTHONPATH: packages, PYTHONDONTWRITEBYTECODE: "1" },
    stdio: ["pipe", "pipe", "pipe"],
  });
  checker.stdin.end(JSON.stringify({ document, values }));
  const [output, complaint, [code]] = await Promise.all([
    text(checker.stdout),
    text(checker.stderr),
    once(checker, "close"),
  ]);
  if (code !== 0) throw new Error(`the validator could not run (${code}): ${complaint}`);
  return output.split("\n").filter((line) => line !== "");
}

async function installed(): Promise<{ python: string; packages: string }> {
  const python = await findOnMachine("python3");
  if (python === undefined) throw new Error(`${requirement} needs python3 with pip: install python3 and python3-pip`);
  const version = /^\d+\.\d+/.exec((await versionOf(python)) ?? "")?.[0];
  // Some of what comes with it is made for one version of Python.
  const packages = await fillCache(`${requirement.replace("==", "-")}-python${version}`, (folder) => {
    const quiet = ["--quiet", "--disable-pip-version-check", "--no-warn-conflicts", "--root-user-action=ignore"];
    return runTool(python, ["-m", "pip", "install", ...quiet, "--only-binary=:all:", "--target", folder, requirement]);
  });
  return { python, packages };
}
