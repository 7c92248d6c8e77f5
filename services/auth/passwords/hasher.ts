import { createHmac } from "node:crypto";
import { withSpan } from "#observability/tracing.ts";
import { normalizePassword } from "../domain/password-rules.ts";
import { reportHash } from "../metrics.ts";
import { type Argon2Parameters, comparable, hashPassword, type PasswordHash, parseHash, sameHash } from "./argon2.ts";
import { WorkPool } from "./work-pool.ts";

const saltLength = 16;
/** Two hashes keep two cores busy; more would only take memory and time from the other calls. */
const limits = { slots: 2, queue: 32 };

/**
 * Hashes passwords, a bounded number at a time.
 *
 * The salt is a keyed digest of the address: unique to it and not to be foreseen, but the same for all accounts that
 * were registered with it and for none. One hash is then enough to try a password against every account of an address,
 * and an address without an account costs exactly as much.
 */
export class PasswordHasher {
  readonly #pool = new WorkPool(limits);
  readonly #saltKey: Buffer;
  readonly #parameters: Argon2Parameters;

  constructor(saltKey: Buffer, parameters: Argon2Parameters) {
    this.#saltKey = saltKey;
    this.#parameters = parameters;
  }

  /** Hashes with the parameters of today. */
  hash(password: string, emailKey: string, signal?: AbortSignal): Promise<PasswordHash> {
    const salt = createHmac("sha256", this.#saltKey).update(emailKey).digest().subarray(0, saltLength);
    return this.#run(password, salt, this.#parameters, signal);
  }

  /**
   * Whether a stored hash is of the same password as `fresh`. Only a hash from before the parameters or the key
   * changed costs a second run.
   */
  async matches(stored: string, password: string, fresh: PasswordHash, signal?: AbortSignal): Promise<boolean> {
    const expected = parseHash(stored);
    if (comparable(expected, fresh)) return sameHash(expected, fresh);
    return sameHash(expected, await this.#run(password, expected.salt, expected.parameters, signal));
  }

  async #run(password: string, salt: Buffer, parameters: Argon2Parameters, signal?: AbortSignal) {
    const start = performance.now();
    const compute = () => hashPassword(normalizePassword(password), salt, parameters);
    const hash = await withSpan("taskmesh hash password", {}, () => this.#pool.run(compute, signal));
    reportHash((performance.now() - start) / 1_000);
    return hash;
  }
}
