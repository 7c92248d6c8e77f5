import { hash } from "node:crypto";
import { LRUCache } from "lru-cache";
import { ErrorReason } from "#gen/mesh/v1/error_reason_pb.js";
import { countLookup } from "../cache-lookups.ts";
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

/** What an account may ask of the mesh: it chooses the rate limits. */
export type Tier = "standard" | "premium";

/** What an access token says about its bearer. */
export interface VerifiedToken {
  readonly userId: string;
  /** The session that it was given to; of an API key's token the key's id. Revoking it ends the token. */
  readonly sessionId: string;
  readonly expireTime: Date;
  readonly tier: Tier;
  /** The API key that it was exchanged for; undefined for a person's session. */
  readonly keyId?: string | undefined;
  /** What the API key may do; undefined, for a person's session, is everything. */
  readonly scopes?: readonly string[] | undefined;
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
    const known = this.#remembered(digest, now);
    countLookup("access_token", known !== undefined);
    const entry = known ?? (await this.#verify(token, digest, now));
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
    const { iss, aud, sub, sid, jti, iat, exp, nbf, tier = "standard", key_id: keyId, scope } = claims;
    if (iss !== this.#issuer || aud !== accessTokenAudience) throw invalid();
    if (!isText(sub) || !isText(sid) || !isText(jti)) throw invalid();
    if (tier !== "standard" && tier !== "premium") throw invalid();
    // A key's token without a scope, or a scope without a key, would pass for a person's.
    if ((keyId !== undefined || scope !== undefined) && !(isText(keyId) && typeof scope === "string")) throw invalid();
    const soon = now / 1000 + clockSkewSeconds;
    if (!isTime(exp) || !isTime(iat) || iat > soon) throw invalid();
    if (nbf !== undefined && (!isTime(nbf) || nbf > soon)) throw invalid();
    const expireMs = exp * 1000;
    return {
      token: Object.freeze({
        userId: sub,
        sessionId: sid,
        expireTime: new Date(expireMs),
        tier,
        keyId,
        scopes: scope?.split(" "),
      }),
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
