import { createHash, createPrivateKey, generateKeyPairSync, type KeyObject } from "node:crypto";
import { seal, unseal } from "#kit/auth/sealing.ts";

/** An Ed25519 key pair, the private part only encrypted. */
export interface SealedKey {
  /** The key's thumbprint (RFC 7638). */
  kid: string;
  /** The public key, base64url (RFC 8037). */
  publicX: string;
  privateSealed: Buffer;
}

export function newSigningKey(secret: Buffer): SealedKey {
  const { publicKey, privateKey } = generateKeyPairSync("ed25519");
  const publicX = publicKey.export({ format: "jwk" }).x ?? "";
  const kid = thumbprint(publicX);
  const privateSealed = seal(privateKey.export({ format: "der", type: "pkcs8" }), secret, kid);
  return { kid, publicX, privateSealed };
}

/** The private key. Throws when the secret is not the one that it was sealed with. */
export function openSigningKey({ kid, privateSealed }: SealedKey, secret: Buffer): KeyObject {
  return createPrivateKey({ key: unseal(privateSealed, secret, kid), format: "der", type: "pkcs8" });
}

function thumbprint(x: string): string {
  return createHash("sha256")
    .update(JSON.stringify({ crv: "Ed25519", kty: "OKP", x }))
    .digest("base64url");
}
