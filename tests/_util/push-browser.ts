import { createDecipheriv, createECDH, type ECDH, hkdfSync, randomBytes } from "node:crypto";

/** The side of RFC 8291 that a browser has: its keys, and reading what was encrypted for it. */
export class PushBrowser {
  readonly #pair: ECDH;
  readonly #auth: Buffer;
  /** As PushSubscription.toJSON() says them. */
  readonly keys: { p256dh: string; auth: string };

  constructor(given?: { privateKey: string; auth: string }) {
    this.#pair = createECDH("prime256v1");
    if (given === undefined) this.#pair.generateKeys();
    else this.#pair.setPrivateKey(given.privateKey, "base64url");
    this.#auth = given === undefined ? randomBytes(16) : Buffer.from(given.auth, "base64url");
    this.keys = { p256dh: this.#pair.getPublicKey("base64url"), auth: this.#auth.toString("base64url") };
  }

  /** Throws when it was encrypted for another one, or a byte was changed. */
  read(body: Buffer): string {
    // RFC 8188 section 2.1: salt, size of a record, and the sender's key in the place of the key's id.
    const [salt, size, idLength] = [body.subarray(0, 16), body.readUInt32BE(16), body.readUInt8(20)];
    const sender = body.subarray(21, 21 + idLength);
    const record = body.subarray(21 + idLength);
    if (record.length > size) throw new Error("more than one record");
    // RFC 8291 section 3.4
    const info = Buffer.concat([Buffer.from("WebPush: info\0"), this.#pair.getPublicKey(), sender]);
    const input = derive(this.#pair.computeSecret(sender), this.#auth, info, 32);
    const key = derive(input, salt, "Content-Encoding: aes128gcm\0", 16);
    const nonce = derive(input, salt, "Content-Encoding: nonce\0", 12);
    const decipher = createDecipheriv("aes-128-gcm", key, nonce).setAuthTag(record.subarray(-16));
    const padded = Buffer.concat([decipher.update(record.subarray(0, -16)), decipher.final()]);
    const end = padded.findLastIndex((byte) => byte !== 0);
    if (padded[end] !== 2) throw new Error("the last record does not say that it is the last");
    return padded.subarray(0, end).toString("utf8");
  }
}

function derive(secret: Buffer, salt: Buffer, info: Buffer | string, length: number): Buffer {
  return Buffer.from(hkdfSync("sha256", secret, salt, info, length));
}
