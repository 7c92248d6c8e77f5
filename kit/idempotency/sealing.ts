import { createHash } from "node:crypto";

/** How requests and answers are kept that hold secrets. */
export interface AnswerSealer {
  /** Stands for a request. Keyed where a request holds what could be guessed, such as a password. */
  hash(request: Buffer): Buffer;
  /** Encrypts an answer; the hash of its request belongs to it, so that it opens for no other one. */
  seal(answer: Buffer, requestHash: Buffer): Buffer;
  /** Opens what `seal` made. Throws when it cannot. */
  unseal(sealed: Buffer, requestHash: Buffer): Buffer;
}

/** Answers that may be read by who may read the database. */
export const plainAnswers: AnswerSealer = {
  hash: (request) => createHash("sha256").update(request).digest(),
  seal: (answer) => answer,
  unseal: (answer) => answer,
};
