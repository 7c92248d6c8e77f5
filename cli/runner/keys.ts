import { generateKeyPairSync, randomBytes } from "node:crypto";
import { readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { identities } from "../topology.ts";

export interface KeyFiles {
  /** The private Ed25519 key (JWK) of each service, by name. */
  identity: Readonly<Record<string, string>>;
  /** The public keys of all services (JWKS). */
  jwks: string;
  /** 32 random bytes in base64 that encrypt the signing keys of auth at rest. */
  authSecret: string;
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
    postgresPassword: join(folder, "postgres-password"),
    replicationPassword: join(folder, "postgres-replication-password"),
  };
  const keys = Object.entries(files.identity).map(([name, path]) => publicPart(ensureIdentity(name, path)));
  writePrivate(files.jwks, `${JSON.stringify({ keys }, undefined, 2)}\n`);
  if (readText(files.authSecret) === undefined) {
    writePrivate(files.authSecret, `${randomBytes(32).toString("base64")}\n`);
  }
  return files;
}

type Jwk = Record<string, unknown>;

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
