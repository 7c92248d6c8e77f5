import { randomBytes } from "node:crypto";
import { crc32 } from "node:zlib";

/** Lets scanners for leaked secrets, and the gateway, tell a key from everything else. */
const prefix = "tmk_";
const idLength = 32;
const secretLength = 43;
const checksumLength = 6;
const digits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const shape = new RegExp(
  `^(${prefix}[0-9a-f]{${idLength}}_[0-9A-Za-z]{${secretLength}})([0-9A-Za-z]{${checksumLength}})$`,
);

/** A new key for a program, `tmk_<id>_<secret><checksum>`: 256 random bits of secret, all of it letters and digits. */
export function newApiKey(apiKeyId: string): string {
  const secret = base62(BigInt(`0x${randomBytes(32).toString("hex")}`), secretLength);
  const signed = `${prefix}${apiKeyId.replaceAll("-", "")}_${secret}`;
  return signed + checksumOf(signed);
}

/** Whether a bearer token means to be an API key, be it a good one or not. */
export function isApiKey(token: string): boolean {
  return token.startsWith(prefix);
}

/** The id in a key that is well formed and whose checksum fits; undefined for a typo, which needs no look-up. */
export function apiKeyId(key: string): string | undefined {
  const [, signed = "", checksum] = shape.exec(key) ?? [];
  if (checksum === undefined || checksum !== checksumOf(signed)) return undefined;
  const id = signed.slice(prefix.length, prefix.length + idLength);
  return [id.slice(0, 8), id.slice(8, 12), id.slice(12, 16), id.slice(16, 20), id.slice(20)].join("-");
}

function checksumOf(text: string): string {
  return base62(BigInt(crc32(text)), checksumLength);
}

function base62(value: bigint, length: number): string {
  let rest = value;
  let text = "";
  while (text.length < length) {
    text = digits.charAt(Number(rest % 62n)) + text;
    rest /= 62n;
  }
  return text;
}
