import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { ConfigError } from "#kit/env.ts";
import { addPushKey, dropOldPushKeys } from "../../../cli/runner/keys.ts";
import { PushKeys } from "./push-keys.ts";

let folder: string;
let file: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "push-keys-"));
  file = join(folder, "keys.json");
  vi.useFakeTimers({ toFake: ["Date"] });
});
afterEach(() => {
  vi.useRealTimers();
  rmSync(folder, { recursive: true });
});
const later = () => vi.setSystemTime(Date.now() + 1_500);

describe("the keys of Web Push", () => {
  it("are read from the file that set-up makes", () => {
    addPushKey(file);
    const keys = new PushKeys(file);
    const { publicKey, privateKey } = keys.newest();
    const point = Buffer.from(publicKey, "base64url");
    expect([point.length, point[0]]).toEqual([65, 4]);
    expect(Buffer.from(privateKey, "base64url")).toHaveLength(32);
    expect(keys.get(publicKey)).toBe(keys.newest());
    expect(keys.get("another")).toBeUndefined();
  });

  it("may be added to and taken away while the process runs; the newest is the one for what is new", () => {
    addPushKey(file);
    const keys = new PushKeys(file);
    const first = keys.newest().publicKey;
    expect(addPushKey(file)).toBe(2);
    later();
    const second = keys.newest().publicKey;
    expect(second).not.toBe(first);
    expect(keys.publicKeys()).toEqual([second, first]);
    expect(dropOldPushKeys(file)).toBe(1);
    later();
    expect(keys.publicKeys()).toEqual([second]);
    expect(keys.get(first)).toBeUndefined();
    expect(dropOldPushKeys(file)).toBe(0);
  });

  it("stay when the file cannot be read any more", () => {
    addPushKey(file);
    const keys = new PushKeys(file);
    const { publicKey } = keys.newest();
    writeFileSync(file, "{");
    later();
    expect(keys.publicKeys()).toEqual([publicKey]);
    addPushKey(join(folder, "next.json"));
    rmSync(file);
    later();
    expect(keys.publicKeys()).toEqual([publicKey]);
  });

  const [d, x, y] = ["yfWPiYE-n46HLnH0KqZOF1fJJU3MYrct3AELtAQ-oRw", "x", "y"];
  it.each([
    ["nothing", ""],
    ["no JSON", "{"],
    ["no set", "[]"],
    ["an empty set", '{"keys":[]}'],
    ["a public key", JSON.stringify({ keys: [{ kty: "EC", crv: "P-256", x, y }] })],
    ["a key of another curve", JSON.stringify({ keys: [{ kty: "EC", crv: "P-384", d, x, y }] })],
    ["parts of two keys", JSON.stringify({ keys: [{ kty: "EC", crv: "P-256", d, x, y }] })],
  ])("that hold %s are one plain fault, which repeats nothing of it", (_, text) => {
    writeFileSync(file, text);
    expect(() => new PushKeys(file)).toThrow(ConfigError);
    expect(() => new PushKeys(file)).toThrow(/^PUSH_VAPID_KEY_FILE is wrong: [^"{}]+$/);
  });
});
