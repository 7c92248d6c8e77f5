import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { addPushKey } from "../../cli/runner/keys.ts";

/** A file with one key of Web Push, for as long as the process lives. */
export function newPushKeyFile(): string {
  const file = newFile("keys.json");
  addPushKey(file);
  return file;
}

/** A file with a secret that sealing keys are derived from, for as long as the process lives. */
export function newSecretFile(): string {
  const file = newFile("secret");
  writeFileSync(file, randomBytes(32).toString("base64"));
  return file;
}

function newFile(name: string): string {
  const folder = mkdtempSync(join(tmpdir(), "taskmesh-keys-"));
  process.once("exit", () => rmSync(folder, { recursive: true, force: true }));
  return join(folder, name);
}
