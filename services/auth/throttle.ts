import { createHash } from "node:crypto";
import { ErrorReason } from "#gen/mesh/v1/error_reason_pb.js";
import { clientNetwork } from "#kit/client-network.ts";
import type { Database, EntityManager } from "#kit/db/database.ts";
import { ServiceError } from "#kit/errors.ts";
import type { CallContext } from "#kit/grpc/service.ts";
import { addFailure, forgiveFailures, readFailures } from "./db/login-failure.repository.ts";
import { waitBeforeTry } from "./domain/login-throttle.ts";

/** What is counted: tries to sign in, or accounts made. They are told apart, lest one be a way around the other. */
export type Scope = "login" | "register";

/**
 * The delays after failed tries with one address from one network; elsewhere the address stays as free as it was.
 *
 * An address can have several accounts, of which a caller must not learn whether they exist. Therefore a success
 * forgives only the account that it was with: who holds one account of an address cannot use it to try passwords on
 * another without end, and sees the same delays whether there is another or not.
 */
export class Throttle {
  readonly #database: Database;
  readonly #address: string;
  readonly #network: string;
  readonly #signal: AbortSignal;

  constructor(database: Database, call: CallContext, { scope, emailKey }: { scope: Scope; emailKey: string }) {
    this.#database = database;
    this.#network = clientNetwork(call.header("x-client-ip"));
    this.#address = digest(scope, emailKey, this.#network);
    this.#signal = call.signal;
  }

  /**
   * Throws RESOURCE_EXHAUSTED with RetryInfo while the address has to wait. Answers whether the account may be signed
   * in to; one that may not must be treated like a wrong password.
   */
  async check(userId?: string): Promise<boolean> {
    const keys = { address: this.#address, account: this.#account(userId ?? "") };
    const counts = await readFailures(this.#database, keys, this.#signal);
    if (counts === undefined) return true;
    const { ofAddress, ofAccount, lastTime, now } = counts;
    const retryAfterMs = waitBeforeTry({ count: ofAddress, lastTime }, now);
    if (retryAfterMs > 0) throw tooMany(retryAfterMs);
    return waitBeforeTry({ count: ofAccount, lastTime }, now) === 0;
  }

  count(): Promise<void> {
    return addFailure(this.#database, this.#address);
  }

  forgive(em: EntityManager, userId: string): Promise<void> {
    return forgiveFailures(em, { address: this.#address, account: this.#account(userId) });
  }

  #account(userId: string): string {
    return digest("account", userId, this.#network);
  }
}

function digest(...parts: string[]): string {
  return createHash("sha256").update(JSON.stringify(parts)).digest("base64url");
}

function tooMany(retryAfterMs: number): ServiceError {
  return new ServiceError({
    reason: ErrorReason.RATE_LIMITED,
    message: "too many tries with this address; wait before the next one",
    retryAfterMs,
  });
}
