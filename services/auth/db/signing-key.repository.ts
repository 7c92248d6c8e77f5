import { type Database, type EntityManager, execute } from "#kit/db/database.ts";
import { statement } from "#kit/db/statement.ts";
import { SigningKeyEntity, type SigningKeyRow } from "./signing-key.entity.ts";

const lock = statement("auth-signing-key-lock", "SELECT pg_advisory_xact_lock(hashtextextended('signing_key', 0))");

/** All keys; until the transaction ends no other instance reads or changes them this way. */
export async function lockSigningKeys(em: EntityManager): Promise<SigningKeyRow[]> {
  await execute(em, lock);
  return em.findAll(SigningKeyEntity);
}

export function addSigningKey(em: EntityManager, key: SigningKeyRow): void {
  em.create(SigningKeyEntity, key);
}

export function removeSigningKey(em: EntityManager, key: SigningKeyRow): void {
  em.remove(key);
}

export interface PublicKey {
  kid: string;
  publicX: string;
  signFrom: Date;
  signUntil: Date;
}

const list = statement(
  "auth-signing-keys",
  `SELECT kid, public_x AS "publicX", sign_from AS "signFrom", sign_until AS "signUntil"
   FROM signing_key ORDER BY sign_from, kid`,
);

/** The public part of all keys. */
export function listPublicKeys(database: Database, signal?: AbortSignal): Promise<PublicKey[]> {
  return database.query<PublicKey>(list, [], { signal });
}
