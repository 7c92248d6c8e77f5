import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { fillCache } from "../../../cli/runner/parts/cache.ts";
import { findOnMachine, runTool, versionOf } from "../../../cli/runner/parts/program.ts";

const requirements = fileURLToPath(new URL("requirements.txt", import.meta.url));
const folder = fileURLToPath(new URL(".", import.meta.url));

/**
 * All but two of its checks of a single answer. positive_data_acceptance holds that whatever fits the schema is taken,
 * but an etag may be an old one and a page token somebody else's. The others look at several answers.
 */
const checks = [
  "not_a_server_error",
  "status_code_conformance",
  "content_type_conformance",
  "response_headers_conformance",
  "response_schema_conformance",
  "negative_data_rejection",
  "unsupported_method",
  "ignored_auth",
];

export interface Request {
  edge: string;
  token: string;
  /** Arguments that choose operations. */
  chosen: string[];
  seed: number;
  examples: number;
}

/** Runs schemathesis (https://schemathesis.io) against /openapi.json of an edge; fetched on first use. */
export async function schemathesis({
  edge,
  token,
  chosen,
  seed,
  examples,
}: Request): Promise<{ code: number; output: string }> {
  const { python, packages } = await installed();
  // It keeps what it found beside itself; nothing of it belongs into the repository.
  const work = await mkdtemp(join(tmpdir(), "schemathesis-"));
  try {
    const args = [
      "-m",
      "schemathesis.cli",
      "--config-file",
      join(folder, "schemathesis.toml"),
      "run",
      `${edge}/openapi.json`,
      "--url",
      edge,
      "--no-color",
    ];
    const bounds = ["--seed", String(seed), "--max-examples", String(examples), "--workers", "1"];
    const phases = ["--phases", "examples,coverage,fuzzing", "--generation-database", "none"];
    const header = ["--header", `Authorization: Bearer ${token}`];
    const program = spawn(python, [...args, ...bounds, ...phases, ...header, "--checks", checks.join(","), ...chosen], {
      cwd: work,
      env: {
        ...process.env,
        PYTHONPATH: `${packages}:${folder}`,
        PYTHONDONTWRITEBYTECODE: "1",
        SCHEMATHESIS_HOOKS: "hooks",
      },
      stdio: ["ignore", "pipe", "pipe"],
    });
    const [output, complaint, [code]] = await Promise.all([
      text(program.stdout),
      text(program.stderr),
      once(program, "close"),
    ]);
    return { code, output: output + complaint };
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

async function installed(): Promise<{ python: string; packages: string }> {
  const python = await findOnMachine("python3");
  if (python === undefined) throw new Error("schemathesis needs python3 with pip: install python3 and python3-pip");
  const version = /^\d+\.\d+/.exec((await versionOf(python)) ?? "")?.[0];
  const pins = createHash("sha256")
    .update(await readFile(requirements))
    .digest("hex")
    .slice(0, 12);
  const packages = await fillCache(`schemathesis-${pins}-python${version}`, (target) => {
    const quiet = ["--quiet", "--disable-pip-version-check", "--no-warn-conflicts", "--root-user-action=ignore"];
    const only = ["--only-binary=:all:", "--target", target, "--requirement", requirements];
    return runTool(python, ["-m", "pip", "install", ...quiet, ...only]);
  });
  return { python, packages };
}
