import { createHmac, generateKeyPairSync, sign } from "node:crypto";
import { describe, expect, it } from "vitest";
import { ErrorReason } from "#gen/mesh/v1/error_reason_pb.js";
import { newId } from "../id.ts";
import { keyPair, testIdentities, testIssuer } from "./testing.ts";

const issuer = testIssuer();
const verifier = issuer.verifier();
const now = Math.floor(Date.now() / 1000);
const [goodHead = "", goodBody = "", goodTail = ""] = issuer.token().split(".");
const [, otherBody = "", otherTail = ""] = issuer.token().split(".");
const publicRaw = Buffer.from(issuer.jwks.keys[0]?.x ?? "", "base64url");
const publicPem = `-----BEGIN PUBLIC KEY-----\n${issuer.jwks.keys[0]?.x}\n-----END PUBLIC KEY-----\n`;
const stranger = keyPair("key-1");

const claims = {
  iss: "taskmesh",
  aud: "taskmesh",
  sub: newId(),
  sid: newId(),
  jti: newId(),
  iat: now,
  exp: now + 900,
};
const header = { alg: "EdDSA", typ: "at+jwt", kid: "key-1" };

const b64 = (value: unknown) =>
  Buffer.from(typeof value === "string" ? value : JSON.stringify(value)).toString("base64url");
const signedBy = (key: Parameters<typeof sign>[2], head: unknown, body: unknown, digest: string | null = null) => {
  const text = `${b64(head)}.${b64(body)}`;
  return `${text}.${sign(digest, Buffer.from(text), key).toString("base64url")}`;
};
/** With the true key: what is wrong must be found by more than the signature. */
const genuine = (head: unknown, body: unknown = claims) => signedBy(issuer.key, head, body);
const hmac = (alg: string, digest: string, secret: string | Buffer, head: object = {}) => {
  const text = `${b64({ ...header, alg, ...head })}.${b64(claims)}`;
  return `${text}.${createHmac(digest, secret).update(text).digest("base64url")}`;
};
const flip = (text: string, at: number) => `${text.slice(0, at)}${text[at] === "A" ? "B" : "A"}${text.slice(at + 1)}`;
const without = (name: keyof typeof claims) =>
  Object.fromEntries(Object.entries(claims).filter(([key]) => key !== name));

const rsa = generateKeyPairSync("rsa", { modulusLength: 2048 });
const ec = generateKeyPairSync("ec", { namedCurve: "P-256" });
const ed448 = generateKeyPairSync("ed448");

const forged: Record<string, string> = {
  "nothing at all": "",
  "no dots": "abc",
  "only dots": "..",
  "one dot": `${goodHead}.${goodBody}`,
  "no signature": `${goodHead}.${goodBody}.`,
  "no claims": `${goodHead}..${goodTail}`,
  "no header": `.${goodBody}.${goodTail}`,
  "alg none": `${b64({ ...header, alg: "none" })}.${b64(claims)}.`,
  "alg none with a signature": `${b64({ ...header, alg: "none" })}.${b64(claims)}.${goodTail}`,
  "alg NONE": `${b64({ ...header, alg: "NONE" })}.${b64(claims)}.`,
  "alg nOnE": `${b64({ ...header, alg: "nOnE" })}.${b64(claims)}.`,
  "alg empty": genuine({ ...header, alg: "" }),
  "alg missing": genuine({ typ: "at+jwt", kid: "key-1" }),
  "alg null": genuine({ ...header, alg: null }),
  "alg a list": genuine({ ...header, alg: ["EdDSA"] }),
  "alg in lower case": genuine({ ...header, alg: "eddsa" }),
  "alg Ed448": genuine({ ...header, alg: "Ed448" }),
  "HS256 with the public key": hmac("HS256", "sha256", publicRaw),
  "HS256 with the public key as text": hmac("HS256", "sha256", issuer.jwks.keys[0]?.x ?? ""),
  "HS256 with the public key as PEM": hmac("HS256", "sha256", publicPem),
  "HS384 with the public key": hmac("HS384", "sha384", publicRaw),
  "HS512 with the public key": hmac("HS512", "sha512", publicRaw),
  "HS256 with an empty key": hmac("HS256", "sha256", ""),
  "HS256 said to be EdDSA": hmac("EdDSA", "sha256", publicRaw),
  "RS256 by another key": signedBy(rsa.privateKey, { ...header, alg: "RS256" }, claims, "sha256"),
  "RS256 said to be EdDSA": signedBy(rsa.privateKey, header, claims, "sha256"),
  "ES256 by another key": signedBy(ec.privateKey, { ...header, alg: "ES256" }, claims, "sha256"),
  "ES256 said to be EdDSA": signedBy(ec.privateKey, header, claims, "sha256"),
  "Ed448 said to be EdDSA": signedBy(ed448.privateKey, header, claims),
  "another Ed25519 key under the same id": signedBy(stranger.key, header, claims),
  "the signature of another token": `${goodHead}.${goodBody}.${otherTail}`,
  "the claims of another token": `${goodHead}.${otherBody}.${goodTail}`,
  "a signature of zeros": `${goodHead}.${goodBody}.${Buffer.alloc(64).toString("base64url")}`,
  "a changed claim": `${goodHead}.${b64({ ...claims, sub: newId() })}.${goodTail}`,
  "a flipped bit in the signature": `${goodHead}.${goodBody}.${flip(goodTail, 10)}`,
  "a flipped bit in the claims": `${goodHead}.${flip(goodBody, 20)}.${goodTail}`,
  "a short signature": `${goodHead}.${goodBody}.${Buffer.from(goodTail, "base64url").subarray(0, 63).toString("base64url")}`,
  "a long signature": `${goodHead}.${goodBody}.${Buffer.concat([Buffer.from(goodTail, "base64url"), Buffer.alloc(1)]).toString("base64url")}`,
  "two signatures": `${goodHead}.${goodBody}.${goodTail}.${goodTail}`,
  "five parts as of JWE": `${goodHead}.${goodBody}.${goodTail}.${goodTail}.${goodTail}`,
  "bytes after the end": `${goodHead}.${goodBody}.${goodTail}AA`,
  "a blank after the end": `${goodHead}.${goodBody}.${goodTail} `,
  "a line break after the end": `${goodHead}.${goodBody}.${goodTail}\n`,
  "a blank before": ` ${goodHead}.${goodBody}.${goodTail}`,
  "a NUL after the end": `${goodHead}.${goodBody}.${goodTail}\0`,
  "padding of base64": `${goodHead}.${goodBody}.${goodTail}==`,
  "base64 that is not base64url": `${goodHead}.${goodBody}.${goodTail.slice(0, -1)}+`,
  "bits that base64url does not use": `${goodHead}.${goodBody}.${goodTail.slice(0, -1)}${unused(goodTail)}`,
  "JSON serialisation": JSON.stringify({
    payload: goodBody,
    signatures: [{ protected: goodHead, signature: goodTail }],
  }),
  "kid missing": genuine({ alg: "EdDSA", typ: "at+jwt" }),
  "kid empty": genuine({ ...header, kid: "" }),
  "kid a number": genuine({ ...header, kid: 1 }),
  "kid unknown": genuine({ ...header, kid: "key-2" }),
  "kid a path": genuine({ ...header, kid: "../../../../dev/null" }),
  "kid an address": genuine({ ...header, kid: "http://127.0.0.1/key-1" }),
  "kid with SQL": genuine({ ...header, kid: "key-1' OR '1'='1" }),
  "kid __proto__": genuine({ ...header, kid: "__proto__" }),
  "kid constructor": genuine({ ...header, kid: "constructor" }),
  "kid of 10,000 characters": genuine({ ...header, kid: "k".repeat(10_000) }),
  "typ missing": genuine({ alg: "EdDSA", kid: "key-1" }),
  "typ JWT": genuine({ ...header, typ: "JWT" }),
  "typ of a service identity": genuine({ ...header, typ: "svc+jwt" }),
  "typ in upper case": genuine({ ...header, typ: "AT+JWT" }),
  "jwk in the header": signedBy(stranger.key, { ...header, jwk: stranger.publicJwk }, claims),
  "jwk in the header of a genuine one": genuine({ ...header, jwk: issuer.jwks.keys[0] }),
  "jku in the header": genuine({ ...header, jku: "http://127.0.0.1/jwks.json" }),
  "x5u in the header": genuine({ ...header, x5u: "http://127.0.0.1/cert.pem" }),
  "x5c in the header": genuine({ ...header, x5c: ["MIIB"] }),
  "crit with an unknown name": genuine({ ...header, crit: ["exp"], exp: now }),
  "crit empty": genuine({ ...header, crit: [] }),
  "b64 false": genuine({ ...header, crit: ["b64"], b64: false }),
  "zip in the header": genuine({ ...header, zip: "DEF" }),
  "cty of a nested token": genuine({ ...header, cty: "JWT" }, issuer.token()),
  "iss missing": genuine(header, without("iss")),
  "iss of another": genuine(header, { ...claims, iss: "https://example.com" }),
  "iss a list": genuine(header, { ...claims, iss: ["taskmesh"] }),
  "iss with a slash": genuine(header, { ...claims, iss: "taskmesh/" }),
  "aud missing": genuine(header, without("aud")),
  "aud of another": genuine(header, { ...claims, aud: "mesh" }),
  "aud a list with ours": genuine(header, { ...claims, aud: ["taskmesh", "other"] }),
  "sub missing": genuine(header, without("sub")),
  "sub empty": genuine(header, { ...claims, sub: "" }),
  "sub an object": genuine(header, { ...claims, sub: { id: 1 } }),
  "sid missing": genuine(header, without("sid")),
  "jti missing": genuine(header, without("jti")),
  "exp missing": genuine(header, without("exp")),
  "exp a text": genuine(header, { ...claims, exp: String(now + 900) }),
  "exp a fraction": genuine(header, { ...claims, exp: now + 900.5 }),
  "exp without end": genuine(header, { ...claims, exp: 1e308 }),
  "exp in milliseconds": genuine(header, { ...claims, exp: (now + 900) * 1000 }),
  "exp negative": genuine(header, { ...claims, exp: -1 }),
  "iat missing": genuine(header, without("iat")),
  "iat in the future": genuine(header, { ...claims, iat: now + 600 }),
  "nbf in the future": genuine(header, { ...claims, nbf: now + 600 }),
  "nbf a text": genuine(header, { ...claims, nbf: "0" }),
  "a claim twice": genuine(header, JSON.stringify(claims).replace("{", `{"sub":"${newId()}",`)),
  "a header member twice": genuine(JSON.stringify(header).replace("{", '{"alg":"none",')),
  "claims that are a list": genuine(header, [claims]),
  "claims that are null": genuine(header, "null"),
  "claims that are a text": genuine(header, '"taskmesh"'),
  "claims that are no JSON": genuine(header, "{"),
  "claims that are no UTF-8": genuineBytes(Buffer.from([0x7b, 0xff, 0x7d])),
  "a header with a byte order mark": genuine(`\uFEFF${JSON.stringify(header)}`),
  "10 KiB of claims": genuine(header, { ...claims, pad: "x".repeat(10_240) }),
  "1 MiB of text": "A".repeat(1_048_576),
  "a million dots": ".".repeat(1_000_000),
  "deep JSON": genuine(header, `${"[".repeat(1000)}${"]".repeat(1000)}`),
};

function unused(text: string): string {
  const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  return alphabet[(alphabet.indexOf(text.at(-1) ?? "A") ^ 1) % 64] ?? "A";
}

function genuineBytes(body: Buffer): string {
  const text = `${b64(header)}.${body.toString("base64url")}`;
  return `${text}.${sign(null, Buffer.from(text), issuer.key).toString("base64url")}`;
}

describe("forged access tokens", () => {
  it("accepts the genuine one that they are made from", async () => {
    await expect(verifier.verify(genuine(header))).resolves.toMatchObject({ userId: claims.sub });
  });

  it.each(Object.entries(forged))("refuses %s", async (_name, token) => {
    await expect(verifier.verify(token)).rejects.toMatchObject({ reason: ErrorReason.TOKEN_INVALID });
  });

  it("refuses every one of 1,000 random changes of a good token", async () => {
    const good = issuer.token();
    const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.";
    for (let n = 0; n < 1000; n++) {
      const at = Math.floor((n / 1000) * good.length);
      const changed = `${good.slice(0, at)}${alphabet[n % alphabet.length]}${good.slice(at + 1)}`;
      if (changed !== good) await expect(verifier.verify(changed)).rejects.toThrow();
    }
  });

  it("refuses a service identity as an access token and the other way round", async () => {
    const { task } = testIdentities(["task"]);
    await expect(verifier.verify(task.token())).rejects.toMatchObject({ reason: ErrorReason.TOKEN_INVALID });
    expect(() => task.verify(issuer.token())).toThrow("not valid");
  });
});
