import { hash } from "node:crypto";
import { LRUCache } from "lru-cache";
import { ErrorReason } from "#gen/mesh/v1/error_reason_pb.js";
import { type Clock, systemClock } from "../clock.ts";
import { type ServiceError, unauthenticated } from "../errors.ts";
import { isSignedBy, type Jwks, type Jws, maxTokenBytes, parseJws } from "./jws.ts";
import { KeySet } from "./key-set.ts";

export type { Jwk, Jwks } from "./jws.ts";

/** The `typ` of access tokens (RFC 9068). */
export const accessTokenType = "at+jwt";
/** The `aud` of access tokens. */
export const accessTokenAudience = "taskmesh";

const clockSkewSeconds = 10;
const cacheMs = 60_000;
const cacheEntries = 50_000;

/** What an access token says about its bearer. */
export interface VerifiedToken {
  readonly userId: string;
  readonly sessionId: string;
  readonly expireTime: Date;
}

export interface TokenVerifierOptions {
  /** Where the public keys come from; it should bound its own time. */
  fetchKeys: () => Promise<Jwks>;
  issuer: string;
  clock?: Clock;
  /** Whether a session is over although its tokens have not expired. Asked on every call, so it must be quick. */
  isRevoked?: (sessionId: string) => boolean;
}

interface Entry {
  token: VerifiedToken;
  kid: string;
  expireMs: number;
  trustedUntilMs: number;
}

/** Verifies access tokens (RFC 9068, with the care of RFC 8725), and remembers those that it found good for a minute. */
export class TokenVerifier {
  readonly #keys: KeySet;
  readonly #issuer: string;
  readonly #clock: Clock;
  readonly #isRevoked: (sessionId: string) => boolean;
  readonly #cache = new LRUCache<string, Entry>({ max: cacheEntries });

  constructor({ fetchKeys, issuer, clock = systemClock, isRevoked = () => false }: TokenVerifierOptions) {
    this.#keys = new KeySet(fetchKeys, clock);
    this.#issuer = issuer;
    this.#clock = clock;
    this.#isRevoked = isRevoked;
  }

  /**
   * Answers for a token that is genuine, unexpired and not revoked. Throws UNAUTHENTICATED with TOKEN_EXPIRED or
   * TOKEN_INVALID, and UNAVAILABLE when the keys cannot be had.
   */
  async verify(token: string): Promise<VerifiedToken> {
    if (token.length > maxTokenBytes) throw invalid();
    const now = this.#clock.now().getTime();
    const digest = hash("sha256", token, "base64");
    const entry = this.#remembered(digest, now) ?? (await this.#verify(token, digest, now));
    if (entry.expireMs <= now) throw expired();
    if (this.#isRevoked(entry.token.sessionId)) throw invalid();
    return entry.token;
  }

  /** A token is remembered only as long as its key is among the current ones. */
  #remembered(digest: string, now: number): Entry | undefined {
    const entry = this.#cache.get(digest);
    if (!entry) return undefined;
    this.#keys.touch();
    if (now < entry.trustedUntilMs && this.#keys.has(entry.kid)) return entry;
    this.#cache.delete(digest);
    return undefined;
  }

  async #verify(token: string, digest: string, now: number): Promise<Entry> {
    const jws = parseJws(token, accessTokenType);
    const key = jws && (await this.#keys.find(jws.kid));
    if (!jws || !key || !isSignedBy(jws, key)) throw invalid();
    const entry = this.#read(jws, now);
    if (now < entry.expireMs) this.#cache.set(digest, entry);
    return entry;
  }

  #read({ kid, claims }: Jws, now: number): Entry {
    const { iss, aud, sub, sid, jti, iat, exp, nbf } = claims;
    if (iss !== this.#issuer || aud !== accessTokenAudience) throw invalid();
    if (!isText(sub) || !isText(sid) || !isText(jti)) throw invalid();
    const soon = now / 1000 + clockSkewSeconds;
    if (!isTime(exp) || !isTime(iat) || iat > soon) throw invalid();
    if (nbf !== undefined && (!isTime(nbf) || nbf > soon)) throw invalid();
    const expireMs = exp * 1000;
    return {
      token: Object.freeze({ userId: sub, sessionId: sid, expireTime: new Date(expireMs) }),
      kid,
      expireMs,
      trustedUntilMs: Math.min(expireMs, now + cacheMs),
    };
  }
}

function isText(value: unknown): value is string {
  return typeof value === "string" && value.length > 0 && value.length <= 128;
}

function isTime(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) > 0 && (value as number) < 1e11;
}

function invalid(): ServiceError {
  return unauthenticated(ErrorReason.TOKEN_INVALID, "the access token is not valid");
}

function expired(): ServiceError {
  return unauthenticated(ErrorReason.TOKEN_EXPIRED, "the access token has expired");
}
