/** A signing key's turn: it signs from `signFrom` until `signUntil`. */
export interface Turn {
  signFrom: Date;
  signUntil: Date;
}

export interface KeyPolicy {
  /** How long one key signs. */
  rotationMs: number;
  /** How long a token that it signed can be alive. */
  tokenTtlMs: number;
}

const shortestLeadMs = 90_000;
const longestLeadMs = 24 * 3_600_000;
const clockSkewMs = 60_000;

/**
 * How long before its turn a key is published, so that no verifier meets its first token unprepared: verifiers fetch
 * the keys once a minute.
 */
function publishLead({ rotationMs }: KeyPolicy): number {
  return Math.min(Math.max(rotationMs / 2, shortestLeadMs), longestLeadMs);
}

/** The turns that are not provided for yet: from now on without a gap until the lead is covered. */
export function missingTurns(turns: Turn[], policy: KeyPolicy, now: Date): Turn[] {
  const missing: Turn[] = [];
  const covered = now.getTime() + publishLead(policy);
  let end = signingKey(turns, now) === undefined ? now.getTime() : Math.max(...turns.map(endOf));
  while (end <= covered) {
    missing.push({ signFrom: new Date(end), signUntil: new Date(end + policy.rotationMs) });
    end += policy.rotationMs;
  }
  return missing;
}

/** The key that signs now: of those whose turn it is, the one whose turn ends last. */
export function signingKey<K extends Turn>(keys: K[], now: Date): K | undefined {
  return keys
    .filter((key) => key.signFrom <= now && now < key.signUntil)
    .reduce<K | undefined>((best, key) => (best === undefined || endOf(best) < endOf(key) ? key : best), undefined);
}

/** Whether a token that the key signed may still be unexpired, or the key is yet to sign. */
export function isNeeded(turn: Turn, policy: KeyPolicy, now: Date): boolean {
  return now.getTime() < endOf(turn) + policy.tokenTtlMs + clockSkewMs;
}

function endOf({ signUntil }: Turn): number {
  return signUntil.getTime();
}
