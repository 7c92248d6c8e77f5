import { createECDH, type JsonWebKey } from "node:crypto";
import { readFileSync, statSync } from "node:fs";
import { deriveKey } from "#kit/auth/sealing.ts";
import { ConfigError } from "#kit/env.ts";
import { logger } from "#observability/logger.ts";

/** A key pair that messages to push services are signed with (RFC 8292); browsers subscribe with its public part. */
export interface PushKey {
  /** The uncompressed point of P-256, base64url: what a browser calls applicationServerKey. */
  readonly publicKey: string;
  /** The private scalar, base64url. */
  readonly privateKey: string;
  /** Encrypts the subscriptions that were made with the key. */
  readonly sealing: Buffer;
}

const recheckMs = 1_000;
const log = logger("push-keys");

/**
 * The keys of a file, a JSON Web Key Set (RFC 7517) of EC keys with the newest first. The file may change while the
 * process runs: a key in front is taken for new subscriptions from then on, and one that is gone ends those made with it.
 */
export class PushKeys {
  readonly #file: string;
  #keys: ReadonlyMap<string, PushKey>;
  #version: string;
  #checkedAt = Date.now();

  /** Throws a ConfigError when the file holds no such set. */
  constructor(file: string) {
    this.#file = file;
    this.#version = versionOf(file);
    this.#keys = read(file);
  }

  /** What browsers subscribe with now. */
  newest(): PushKey {
    const [first] = this.#known().values();
    if (first === undefined) throw new Error("a set of push keys is never empty");
    return first;
  }

  /** The key with this public part, unless it was taken away. */
  get(publicKey: string): PushKey | undefined {
    return this.#known().get(publicKey);
  }

  /** The public parts of all keys, the newest first. */
  publicKeys(): string[] {
    return [...this.#known().keys()];
  }

  #known(): ReadonlyMap<string, PushKey> {
    if (Date.now() - this.#checkedAt < recheckMs) return this.#keys;
    this.#checkedAt = Date.now();
    try {
      const version = versionOf(this.#file);
      if (version === this.#version) return this.#keys;
      this.#keys = read(this.#file);
      this.#version = version;
      log.info({ count: this.#keys.size }, "the push keys have changed");
    } catch {
      log.warn("the file of the push keys cannot be read any more: those that were in it stay");
    }
    return this.#keys;
  }
}

function versionOf(file: string): string {
  const { mtimeMs, ino, size } = statSync(file, { throwIfNoEntry: false }) ?? {};
  return `${mtimeMs} ${ino} ${size}`;
}

function read(file: string): ReadonlyMap<string, PushKey> {
  try {
    const { keys } = JSON.parse(readFileSync(file, "utf8")) as { keys: JsonWebKey[] };
    if (keys.length === 0) throw new Error("empty");
    return new Map(keys.map((jwk) => pushKey(jwk)).map((key) => [key.publicKey, key]));
  } catch {
    // What is wrong with it may be a part of the secret.
    throw new ConfigError("PUSH_VAPID_KEY_FILE is wrong: it must hold a JSON Web Key Set of private keys of P-256");
  }
}

function pushKey({ kty, crv, d, x, y }: JsonWebKey): PushKey {
  if (kty !== "EC" || crv !== "P-256" || !d || !x || !y) throw new Error("no private key of P-256");
  const pair = createECDH("prime256v1");
  pair.setPrivateKey(d, "base64url");
  const point = Buffer.concat([Buffer.of(4), Buffer.from(x, "base64url"), Buffer.from(y, "base64url")]);
  if (!pair.getPublicKey().equals(point)) throw new Error("the two parts do not belong together");
  return { publicKey: point.toString("base64url"), privateKey: d, sealing: deriveKey(d, "push-subscription") };
}
