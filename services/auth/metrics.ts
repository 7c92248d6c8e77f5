import { logger } from "#observability/logger.ts";
import { counter, histogram } from "#observability/metrics.ts";

const log = logger("auth");
const logins = counter("taskmesh.auth.logins");
const registrations = counter("taskmesh.auth.registrations");
const refreshes = counter("taskmesh.auth.token_refreshes");
const reuses = counter("taskmesh.auth.token_reuse");
const hashes = histogram("taskmesh.auth.hash.duration");

/** refused: wrong credentials · throttled: too many failures, not even tried. */
export type LoginOutcome = "accepted" | "refused" | "throttled";

export function reportLogin(outcome: LoginOutcome, userId?: string): void {
  logins.add(1, { "taskmesh.outcome": outcome });
  log.info({ "taskmesh.outcome": outcome, "taskmesh.user.id": userId }, "login");
}

export function reportRegistration(userId: string): void {
  registrations.add(1);
  log.info({ "taskmesh.user.id": userId }, "account registered");
}

export function reportRefresh(outcome: "rotate" | "replay" | "reuse" | "refuse"): void {
  refreshes.add(1, { "taskmesh.outcome": outcome });
}

/** A stolen token was recognised and its session has been revoked. */
export function reportTokenReuse(userId: string, sessionId: string): void {
  reuses.add(1);
  log.warn({ "taskmesh.user.id": userId, "taskmesh.session.id": sessionId }, "refresh token reused");
}

export function reportLogout(userId: string): void {
  log.info({ "taskmesh.user.id": userId }, "session ended by its user");
}

export function reportApiKey(what: "made" | "revoked", userId: string, apiKeyId: string): void {
  log.info({ "taskmesh.user.id": userId, "taskmesh.api_key.id": apiKeyId }, `API key ${what}`);
}

export function reportTier(userId: string, tier: string): void {
  log.info({ "taskmesh.user.id": userId, "taskmesh.tier": tier }, "tier set");
}

/** `seconds` counts the wait for a free slot too. */
export function reportHash(seconds: number): void {
  hashes.record(seconds);
}

/** A signing key was made. */
export function reportKey(kid: string): void {
  log.info({ "taskmesh.key.id": kid }, "signing key made");
}

/** Somebody was signed in without the profile, because the user service did not answer. */
export function reportProfileAway(error: unknown): void {
  log.warn({ error }, "signed in without the profile");
}

/** Something that is done beside the calls failed; it is tried again later. */
export function reportBackgroundFailure(work: string, error: unknown): void {
  log.warn({ error, "taskmesh.work": work }, "background work failed");
}
