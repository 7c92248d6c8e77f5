import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { ErrorReason } from "#gen/mesh/v1/error_reason_pb.js";
import { Identity, type PrivateJwk } from "./identity.ts";
import { type Jwks, signJws } from "./jws.ts";
import { keyPair, testIdentities } from "./testing.ts";

const task = keyPair("task");
const auth = keyPair("auth");
const jwks: Jwks = { keys: [task.publicJwk, auth.publicJwk] };
const seconds = () => Math.floor(Date.now() / 1000);
const genuine = () => ({ iss: "mesh", sub: "service:task", aud: "mesh", iat: seconds(), exp: seconds() + 300 });
const signed = (claims: Record<string, unknown>, typ = "svc+jwt", kid = "task", key = task.key) =>
  signJws({ typ, kid }, claims, key);

describe("Identity", () => {
  it("is known to the others by its name", () => {
    const { gateway, user } = testIdentities(["gateway", "user"]);
    expect(user.verify(gateway.token()).name).toBe("gateway");
  });

  it("mints a new token at half of its life, and no sooner", () => {
    let now = Date.now();
    const identity = new Identity(task.privateJwk, jwks, { now: () => new Date(now) });
    const first = identity.token();
    now += 149_000;
    expect(identity.token()).toBe(first);
    now += 2_000;
    expect(identity.token()).not.toBe(first);
    expect(identity.verify(first).name).toBe("task");
  });

  it("refuses a token that it has seen once it has expired", () => {
    let now = Date.now();
    const identity = new Identity(task.privateJwk, jwks, { now: () => new Date(now) });
    const token = identity.token();
    identity.verify(token);
    now += 301_000;
    expect(() => identity.verify(token)).toThrow(expect.objectContaining({ reason: ErrorReason.TOKEN_EXPIRED }));
  });

  it.each<[string, () => string]>([
    ["the name of another service", () => signed({ ...genuine(), sub: "service:auth" })],
    ["the key id of another service", () => signed({ ...genuine(), sub: "service:auth" }, "svc+jwt", "auth")],
    ["a name without its prefix", () => signed({ ...genuine(), sub: "task" })],
    ["another issuer", () => signed({ ...genuine(), iss: "taskmesh" })],
    ["another audience", () => signed({ ...genuine(), aud: "taskmesh" })],
    ["the type of an access token", () => signed(genuine(), "at+jwt")],
    ["an unknown key id", () => signed(genuine(), "svc+jwt", "gateway")],
    ["a life of a year", () => signed({ ...genuine(), exp: seconds() + 31_536_000 })],
    ["no expiry", () => signed({ ...genuine(), exp: undefined })],
    ["a time of issue in the future", () => signed({ ...genuine(), iat: seconds() + 60, exp: seconds() + 300 })],
    ["a time to start", () => signed({ ...genuine(), nbf: seconds() })],
    ["a key that nobody knows", () => signed(genuine(), "svc+jwt", "task", keyPair("task").key)],
    ["no token at all", () => ""],
  ])("refuses %s", (_case, forge) => {
    const identity = new Identity(auth.privateJwk, jwks);
    expect(identity.verify(signed(genuine())).name).toBe("task");
    expect(() => identity.verify(forge())).toThrow(expect.objectContaining({ reason: ErrorReason.TOKEN_INVALID }));
  });

  it("comes from two files, and refuses a key set with another kind of key", async () => {
    const folder = await mkdtemp(join(tmpdir(), "identity-"));
    const [keyFile, jwksFile] = [join(folder, "key.json"), join(folder, "jwks.json")];
    try {
      await writeFile(keyFile, JSON.stringify(task.privateJwk satisfies PrivateJwk));
      await writeFile(jwksFile, JSON.stringify(jwks));
      const identity = await Identity.load({ keyFile, jwksFile });
      expect(identity.verify(identity.token()).name).toBe("task");
      await writeFile(jwksFile, JSON.stringify({ keys: [{ ...task.publicJwk, kty: "EC" }] }));
      await expect(Identity.load({ keyFile, jwksFile })).rejects.toThrow('"task"');
      await writeFile(jwksFile, "hush, a secret");
      await expect(Identity.load({ keyFile, jwksFile })).rejects.toThrow(
        /^MESH_IDENTITY_JWKS_FILE is wrong: (?!.*hush)/,
      );
    } finally {
      await rm(folder, { recursive: true });
    }
  });
});
