import type { KeyObject } from "node:crypto";
import type { Clock } from "#kit/clock.ts";
import type { Database, EntityManager } from "#kit/db/database.ts";
import { ConfigError } from "#kit/env.ts";
import type { SigningKeyRow } from "../db/signing-key.entity.ts";
import {
  addSigningKey,
  listPublicKeys,
  lockSigningKeys,
  type PublicKey,
  removeSigningKey,
} from "../db/signing-key.repository.ts";
import { databaseTime } from "../db/time.ts";
import { isNeeded, type KeyPolicy, missingTurns, signingKey, type Turn } from "../domain/key-schedule.ts";
import { reportKey } from "../metrics.ts";
import { newSigningKey, openSigningKey } from "./signing-key.ts";

export interface KeyRingOptions {
  database: Database;
  /** Encrypts the private keys; 32 bytes. */
  secret: Buffer;
  policy: KeyPolicy;
  clock: Clock;
}

interface OpenKey extends Turn {
  kid: string;
  privateKey: KeyObject;
}

/** The signing keys, shared by all instances through the database and held open in memory. */
export class KeyRing {
  readonly #options: KeyRingOptions;
  #keys: OpenKey[] = [];

  constructor(options: KeyRingOptions) {
    this.#options = options;
  }

  /**
   * Makes the keys that are due, removes those that nobody needs and opens the rest. Instances that do this at the same
   * time agree on the keys. Throws a ConfigError when the secret does not fit.
   */
  async refresh(): Promise<void> {
    const { database } = this.#options;
    const rows = await database.transactional((em) => this.#rotate(em));
    const open = new Map(this.#keys.map((key) => [key.kid, key]));
    this.#keys = rows.map((row) => open.get(row.kid) ?? this.#open(row));
  }

  /** The key that signs now. */
  async current(): Promise<{ kid: string; privateKey: KeyObject }> {
    const { clock } = this.#options;
    const key = signingKey(this.#keys, clock.now());
    if (key !== undefined) return key;
    await this.refresh();
    const renewed = signingKey(this.#keys, clock.now()) ?? this.#keys.at(-1);
    if (renewed === undefined) throw new Error("there is no signing key");
    return renewed;
  }

  /** The public part of every key whose tokens may be met now or soon. */
  async published(signal?: AbortSignal): Promise<PublicKey[]> {
    const { database, policy, clock } = this.#options;
    const keys = await listPublicKeys(database, signal);
    return keys.filter((key) => isNeeded(key, policy, clock.now()));
  }

  async #rotate(em: EntityManager): Promise<SigningKeyRow[]> {
    const { policy, secret } = this.#options;
    const all = await lockSigningKeys(em);
    const now = await databaseTime(em);
    const keys = all.filter((key) => isNeeded(key, policy, now));
    for (const key of all) if (!keys.includes(key)) removeSigningKey(em, key);
    for (const turn of missingTurns(keys, policy, now)) {
      const key = { ...newSigningKey(secret), ...turn, createTime: now };
      addSigningKey(em, key);
      keys.push(key);
      reportKey(key.kid);
    }
    return keys;
  }

  #open({ kid, publicX, privateSealed, signFrom, signUntil }: SigningKeyRow): OpenKey {
    try {
      const privateKey = openSigningKey({ kid, publicX, privateSealed }, this.#options.secret);
      return { kid, signFrom, signUntil, privateKey };
    } catch {
      throw new ConfigError("AUTH_KEY_SECRET_FILE is wrong: the signing keys were encrypted with another secret");
    }
  }
}
