import { createHmac } from "node:crypto";
import { deriveKey, seal, unseal } from "#kit/auth/sealing.ts";
import type { AnswerSealer } from "./sealing.ts";

/** Keeps requests as a keyed hash and answers encrypted, by keys derived from a secret of full entropy. */
export function sealedAnswers(secret: Buffer): AnswerSealer {
  const hashKey = deriveKey(secret, "taskmesh idempotency requests");
  const sealKey = deriveKey(secret, "taskmesh idempotency answers");
  return {
    hash: (request) => createHmac("sha256", hashKey).update(request).digest(),
    seal: (answer, requestHash) => seal(answer, sealKey, requestHash.toString("base64url")),
    unseal: (sealed, requestHash) => unseal(sealed, sealKey, requestHash.toString("base64url")),
  };
}
