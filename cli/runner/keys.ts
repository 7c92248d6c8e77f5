import { generateKeyPairSync, randomBytes } from "node:crypto";
import { readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { identities } from "../topology.ts";
import { UserError } from "../user-error.ts";

export interface KeyFiles {
  /** The private Ed25519 key (JWK) of each service, by name. */
  identity: Readonly<Record<string, string>>;
  /** The public keys of all services (JWKS). */
  jwks: string;
  /** 32 random bytes in base64 that encrypt the signing keys of auth at rest. */
  authSecret: string;
  /** The private keys of Web Push (JWKS), the newest first. */
  pushKeys: string;
  /** 32 random bytes in base64 that encrypt URLs and secrets of webhooks at rest. */
  webhookSecret: string;
  postgresPassword: string;
  /** Of the account by which replicas follow. */
  replicationPassword: string;
}

/** Makes the secrets of a mesh that are missing, readable by their owner only, and keeps those that are there. */
export function ensureKeys(folder: string): KeyFiles {
  const files: KeyFiles = {
    identity: Object.fromEntries(identities.map((name) => [name, join(folder, `${name}.jwk.json`)])),
    jwks: join(folder, "services.jwks.json"),
    authSecret: join(folder, "auth-key-secret"),
    pushKeys: join(folder, "push-vapid-keys.json"),
    webhookSecret: join(folder, "webhook-key-secret"),
    postgresPassword: join(folder, "postgres-password"),
    replicationPassword: join(folder, "postgres-replication-password"),
  };
  const keys = Object.entries(files.identity).map(([name, path]) => publicPart(ensureIdentity(name, path)));
  writePrivate(files.jwks, `${JSON.stringify({ keys }, undefined, 2)}\n`);
  for (const secret of [files.authSecret, files.webhookSecret]) {
    if (readText(secret) === undefined) writePrivate(secret, `${randomBytes(32).toString("base64")}\n`);
  }
  if (readText(files.pushKeys) === undefined) addPushKey(files.pushKeys);
  return files;
}

type Jwk = Record<string, unknown>;

/** Puts a new key in front of the keys of Web Push, or into a file of its own; answers with how many there are then. */
export function addPushKey(file: string): number {
  const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const keys = [privateKey.export({ format: "jwk" }) as Jwk, ...pushKeysOf(file)];
  writePrivate(file, `${JSON.stringify({ keys }, undefined, 2)}\n`);
  return keys.length;
}

/** Leaves only the newest key of Web Push; answers with how many are gone. */
export function dropOldPushKeys(file: string): number {
  const [newest, ...old] = pushKeysOf(file);
  if (old.length > 0) writePrivate(file, `${JSON.stringify({ keys: [newest] }, undefined, 2)}\n`);
  return old.length;
}

function pushKeysOf(file: string): Jwk[] {
  const text = readText(file);
  if (text === undefined) return [];
  try {
    const { keys } = JSON.parse(text) as { keys: Jwk[] };
    if (Array.isArray(keys)) return keys;
  } catch {}
  throw new UserError(`${file} holds no keys of Web Push: it must be a JSON Web Key Set`);
}

function ensureIdentity(name: string, path: string): Jwk {
  const kept = readText(path);
  if (kept !== undefined) return JSON.parse(kept);
  const { privateKey } = generateKeyPairSync("ed25519");
  const jwk = { ...privateKey.export({ format: "jwk" }), kid: name, alg: "EdDSA", use: "sig" };
  writePrivate(path, `${JSON.stringify(jwk)}\n`);
  return jwk;
}

function publicPart({ d: _secret, ...jwk }: Jwk): Jwk {
  return jwk;
}

function writePrivate(path: string, text: string): void {
  writeFileSync(`${path}.draft`, text, { mode: 0o600 });
  renameSync(`${path}.draft`, path);
}

function readText(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
}
