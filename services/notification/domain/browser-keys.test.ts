import { describe, expect, it } from "vitest";
import { PushBrowser } from "../../../tests/_util/push-browser.ts";
import { normalizedKeys } from "./browser-keys.ts";

const { keys } = new PushBrowser();

describe("normalizedKeys", () => {
  it("takes keys with and without padding for the same", () => {
    expect(normalizedKeys(keys)).toEqual(keys);
    expect(normalizedKeys({ p256dh: `${keys.p256dh}=`, auth: `${keys.auth}==` })).toEqual(keys);
  });

  it.each([
    ["off the curve", `${keys.p256dh.slice(0, -4)}AAAA`],
    [
      "compressed",
      Buffer.concat([Buffer.of(2), Buffer.from(keys.p256dh, "base64url").subarray(1)]).toString("base64url"),
    ],
    ["too short", keys.p256dh.slice(0, -8)],
    ["of zeros", Buffer.concat([Buffer.of(4), Buffer.alloc(64)]).toString("base64url")],
  ])("refuses a point that is %s", (_, p256dh) => {
    expect(normalizedKeys({ ...keys, p256dh })).toBeUndefined();
  });
});
