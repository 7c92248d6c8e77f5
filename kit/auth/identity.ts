import { createPrivateKey, type KeyObject } from "node:crypto";
import { readFile } from "node:fs/promises";
import { LRUCache } from "lru-cache";
import { ErrorReason } from "#gen/mesh/v1/error_reason_pb.js";
import { countLookup } from "../cache-lookups.ts";
import { type Clock, systemClock } from "../clock.ts";
import { ConfigError } from "../env.ts";
import { type ServiceError, unauthenticated } from "../errors.ts";
import { importPublicKey, isSignedBy, type Jwk, type Jwks, parseJws, signJws } from "./jws.ts";

/** Metadata key under which a service shows who it is. */
export const identityHeader = "x-mesh-identity";

const type = "svc+jwt";
const issuer = "mesh";
const audience = "mesh";
const lifetimeSeconds = 300;
const clockSkewSeconds = 10;

/** A private key for Ed25519 (RFC 8037); its `kid` is the name of the service. */
export interface PrivateJwk extends Jwk {
  d: string;
}

interface Known {
  name: string;
  expireSeconds: number;
}

/** Who this service is towards the others, and how it knows them: short-lived EdDSA tokens, one key per service. */
export class Identity {
  readonly name: string;
  readonly #key: KeyObject;
  readonly #peers: ReadonlyMap<string, KeyObject>;
  readonly #clock: Clock;
  readonly #known = new LRUCache<string, Known>({ max: 1000 });
  #token = "";
  #remintSeconds = 0;

  /** Reads the private key (`keyFile`) and the public keys of all services (`jwksFile`). */
  static async load(files: { keyFile: string; jwksFile: string }): Promise<Identity> {
    const [key, jwks] = await Promise.all([readFile(files.keyFile, "utf8"), readFile(files.jwksFile, "utf8")]);
    const own = readAs(key, ({ kty, crv, x, d, kid }: PrivateJwk) => {
      createPrivateKey({ key: { kty, crv, x, d }, format: "jwk" });
      return { kty, crv, x, d, kid };
    });
    if (own instanceof Error) {
      // Nothing of it is told: the file may hold a secret of another kind.
      throw new ConfigError("MESH_IDENTITY_KEY_FILE is wrong: it must hold a private Ed25519 key as a JWK");
    }
    const peers = readAs(jwks, (set: Jwks) => {
      importPeers(set);
      return set;
    });
    if (peers instanceof Error) {
      // Only our own message: that of the JSON parser shows a piece of the text.
      const why = peers.constructor === Error ? peers.message : "it must hold public Ed25519 keys as a JWK set";
      throw new ConfigError(`MESH_IDENTITY_JWKS_FILE is wrong: ${why}`);
    }
    return new Identity(own, peers);
  }

  constructor(key: PrivateJwk, jwks: Jwks, clock: Clock = systemClock) {
    this.name = key.kid;
    this.#key = createPrivateKey({ key: { kty: key.kty, crv: key.crv, x: key.x, d: key.d }, format: "jwk" });
    this.#peers = importPeers(jwks);
    this.#clock = clock;
  }

  /** A token that says who this service is; minted anew at half of its life of 5 minutes. */
  token(): string {
    const now = Math.floor(this.#clock.now().getTime() / 1000);
    if (now >= this.#remintSeconds || now < this.#remintSeconds - lifetimeSeconds) {
      const claims = {
        iss: issuer,
        sub: `service:${this.name}`,
        aud: audience,
        iat: now,
        exp: now + lifetimeSeconds,
      };
      this.#token = signJws({ typ: type, kid: this.name }, claims, this.#key);
      this.#remintSeconds = now + lifetimeSeconds / 2;
    }
    return this.#token;
  }

  /** The service that a token stands for. Throws UNAUTHENTICATED with TOKEN_INVALID or TOKEN_EXPIRED. */
  verify(token: string): { name: string } {
    const now = this.#clock.now().getTime() / 1000;
    const remembered = this.#known.get(token);
    countLookup("service_identity", remembered !== undefined);
    const known = remembered ?? this.#verify(token, now);
    if (known.expireSeconds <= now) {
      throw unauthenticated(ErrorReason.TOKEN_EXPIRED, "the identity of the calling service has expired");
    }
    return known;
  }

  #verify(token: string, now: number): Known {
    const jws = parseJws(token, type);
    const key = jws && this.#peers.get(jws.kid);
    if (!jws || !key || !isSignedBy(jws, key)) throw invalid();
    const { iss, sub, aud, iat, exp, nbf } = jws.claims;
    // A service can speak for nobody but itself, whatever its key signs.
    if (iss !== issuer || aud !== audience || sub !== `service:${jws.kid}`) throw invalid();
    if (!Number.isInteger(iat) || !Number.isInteger(exp) || nbf !== undefined) throw invalid();
    const [issued, expires] = [iat as number, exp as number];
    if (issued > now + clockSkewSeconds || expires - issued > lifetimeSeconds) throw invalid();
    const known: Known = Object.freeze({ name: jws.kid, expireSeconds: expires });
    this.#known.set(token, known);
    return known;
  }
}

function importPeers(jwks: Jwks): Map<string, KeyObject> {
  const peers = new Map<string, KeyObject>();
  for (const jwk of jwks.keys) {
    const key = importPublicKey(jwk);
    if (!key) throw new Error(`the key "${jwk.kid}" in the services' key set is not an Ed25519 public key`);
    peers.set(jwk.kid, key);
  }
  return peers;
}

function invalid(): ServiceError {
  return unauthenticated(ErrorReason.TOKEN_INVALID, "the identity of the calling service is not valid");
}

function readAs<T>(text: string, take: (value: T) => T): T | Error {
  try {
    return take(JSON.parse(text) as T);
  } catch (error) {
    return error as Error;
  }
}
