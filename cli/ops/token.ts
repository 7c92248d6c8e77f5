import { createHash, createHmac, randomBytes, timingSafeEqual } from "node:crypto";
import { chmodSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { UserError } from "../user-error.ts";

/** The operator's token of a mesh: 32 random bytes in base64url, which only its owner can read. */
export function opsTokenFile(keysFolder: string): string {
  return join(keysFolder, "ops-token");
}

/** The token in a file, made when there is none. */
export function ensureOpsToken(file: string): string {
  try {
    writeFileSync(file, `${randomBytes(32).toString("base64url")}\n`, { mode: 0o600, flag: "wx" });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
    chmodSync(file, 0o600);
  }
  return readOpsToken(file);
}

/** Throws one line when the file is not there, or holds no token. */
export function readOpsToken(file: string): string {
  let text: string;
  try {
    text = readFileSync(file, "utf8").trim();
  } catch {
    throw new UserError(`There is no operator's token at ${file}: start with \`npm start\`, or set OPS_TOKEN_FILE`);
  }
  if (!/^[\w-]{32,}$/.test(text)) {
    throw new UserError(`${file} holds no operator's token: remove it, and start again from ${dirname(file)}`);
  }
  return text;
}

/** What a browser keeps in place of the token: it opens the pages, and no more can be made of it. */
export function cookieOf(token: string): string {
  return createHmac("sha256", token).update("ops cookie").digest("base64url");
}

/** Takes the same time whatever is alike, the lengths included. */
export function isSame(given: string | undefined, secret: string): boolean {
  const digest = (text: string) => createHash("sha256").update(text).digest();
  return timingSafeEqual(digest(given ?? ""), digest(secret)) && given !== undefined;
}
