import { existsSync } from "node:fs";
import { join } from "node:path";
import type { Command } from "commander";
import { findHome } from "../runner/home.ts";
import { addPushKey, dropOldPushKeys } from "../runner/keys.ts";
import { UserError } from "../user-error.ts";
import { printJson } from "./output.ts";

interface Options {
  file?: string;
  json?: boolean;
}

/** `mesh push-keys …`: the keys that messages to browsers are signed with. Running processes see a change within seconds. */
export function addPushKeys(mesh: Command): void {
  const keys = mesh.command("push-keys").description("the keys of Web Push, and replacing them");
  const deed = (name: string, description: string, action: (options: Options) => void) =>
    keys
      .command(name)
      .description(description)
      .option("--file <path>", "the file, where it is not that of the mesh here")
      .option("--json", "print JSON for programs")
      .action(action);
  deed("add", "a new key, which browsers subscribe with from now on; the others stay good", (options) => {
    const count = addPushKey(fileOf(options));
    answer(options, { count }, `${count} keys: browsers subscribe with the new one from now on`);
  });
  deed("drop-old", "only the newest key stays; browsers that subscribed with others hear nothing more", (options) => {
    const dropped = dropOldPushKeys(fileOf(options));
    answer(options, { dropped }, dropped === 0 ? "there is only one key" : `${dropped} old keys are gone`);
  });
}

function fileOf({ file }: Options): string {
  const path = file ?? (process.env.PUSH_VAPID_KEY_FILE || join(findHome().keys, "push-vapid-keys.json"));
  if (!existsSync(path))
    throw new UserError(`there is no file ${path}: start the mesh once, or name the file by --file`);
  return path;
}

function answer({ json }: Options, value: object, text: string): void {
  if (json) printJson(value);
  else process.stdout.write(`${text}\n`);
}
