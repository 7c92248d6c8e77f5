import { createPublicKey, type KeyObject, sign, verify } from "node:crypto";

/** No token of ours comes near it; whatever is longer is refused before it is looked at. */
export const maxTokenBytes = 4096;

const partText = /^[A-Za-z0-9_-]+$/;
const keyId = /^[A-Za-z0-9._-]{1,128}$/;
const signatureBytes = 64;
const publicKeyBytes = 32;
const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** A JSON Web Signature in compact form that is well formed and not yet verified. */
export interface Jws {
  kid: string;
  claims: Record<string, unknown>;
  signed: string;
  signature: Buffer;
}

/** A public key for Ed25519 (RFC 8037). */
export interface Jwk {
  kty: string;
  crv: string;
  x: string;
  kid: string;
  alg?: string;
  use?: string;
}

/** A JSON Web Key Set (RFC 7517). */
export interface Jwks {
  keys: readonly Jwk[];
}

/**
 * Takes a token apart, as strictly as RFC 8725 asks: the algorithm is EdDSA, the type is the one expected, and the
 * header has nothing else but the key id, so that no token can choose how it is verified.
 * Undefined when anything is off.
 */
export function parseJws(token: string, typ: string): Jws | undefined {
  if (token.length > maxTokenBytes) return undefined;
  const [head, body, tail, ...rest] = token.split(".");
  if (!head || !body || !tail || rest.length > 0) return undefined;
  const header = decodeObject(head);
  const claims = decodeObject(body);
  const signature = decodePart(tail);
  if (!header || !claims || signature?.length !== signatureBytes) return undefined;
  const { alg, kid, typ: type, ...others } = header;
  if (alg !== "EdDSA" || type !== typ || typeof kid !== "string" || !keyId.test(kid)) return undefined;
  if (Object.keys(others).length > 0) return undefined;
  return { kid, claims, signed: `${head}.${body}`, signature };
}

/** Whether the signature is that of the key. */
export function isSignedBy(jws: Jws, key: KeyObject): boolean {
  return verify(null, Buffer.from(jws.signed, "latin1"), key, jws.signature);
}

/** Signs claims as a compact JWS with EdDSA (RFC 8037). */
export function signJws(header: { typ: string; kid: string }, claims: Record<string, unknown>, key: KeyObject): string {
  const signed = `${encodeObject({ alg: "EdDSA", ...header })}.${encodeObject(claims)}`;
  return `${signed}.${sign(null, Buffer.from(signed, "latin1"), key).toString("base64url")}`;
}

/** The verification key of a JWK; undefined when it is not an Ed25519 key for signatures. */
export function importPublicKey({ kty, crv, x, kid, alg, use }: Jwk): KeyObject | undefined {
  if (kty !== "OKP" || crv !== "Ed25519" || typeof kid !== "string" || !keyId.test(kid)) return undefined;
  if ((alg && alg !== "EdDSA") || (use && use !== "sig")) return undefined;
  if (typeof x !== "string" || decodePart(x)?.length !== publicKeyBytes) return undefined;
  return createPublicKey({ key: { kty, crv, x }, format: "jwk" });
}

function encodeObject(value: Record<string, unknown>): string {
  return Buffer.from(JSON.stringify(value)).toString("base64url");
}

/** Only the canonical base64url text: other spellings of the same bytes would make a token malleable. */
function decodePart(text: string): Buffer | undefined {
  if (!partText.test(text)) return undefined;
  const bytes = Buffer.from(text, "base64url");
  return bytes.toString("base64url") === text ? bytes : undefined;
}

/** Only JSON that is written the way JSON.stringify does: this also refuses members that occur twice. */
function decodeObject(part: string): Record<string, unknown> | undefined {
  const bytes = decodePart(part);
  if (!bytes) return undefined;
  try {
    const text = utf8.decode(bytes);
    const value: unknown = JSON.parse(text);
    const isObject = typeof value === "object" && value !== null && !Array.isArray(value);
    return isObject && JSON.stringify(value) === text ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}
