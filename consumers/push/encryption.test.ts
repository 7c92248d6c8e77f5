import { encryptNotification } from "@block65/webcrypto-web-push";
import { expect, it } from "vitest";
import { PushBrowser } from "../../tests/_util/push-browser.ts";
import { longestText } from "./message.ts";

// RFC 8291, section 5 and appendix A.
const example = {
  privateKey: "q1dXpw3UpT5VOmu_cf_v6ih07Aems3njxI-JWgLcM94",
  auth: "BTBZMqHH6r4Tts7J_aSIgg",
  p256dh: "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4",
  body: `DGv6ra1nlYgDCS1FRnbzlwAAEABBBP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27ml
    mlMoZIIgDll6e3vCYLocInmYWAmS6TlzAC8wEqKK6PBru3jl7A_yl95bQpu6cVPT
    pK4Mqgkf1CXztLVBSt2Ks3oZwbuwXPXLWyouBWLVWGNWQexSgSxsj_Qulcy4a-fN`.replace(/\s/g, ""),
};

it("what the tests read messages with reads the example of RFC 8291", () => {
  const browser = new PushBrowser(example);
  expect(browser.keys.p256dh).toBe(example.p256dh);
  expect(browser.read(Buffer.from(example.body, "base64url"))).toBe("When I grow up, I want to be a watermelon");
});

it.each([0, 1, 100, longestText])("a browser reads %i bytes, and all messages are equally long", async (length) => {
  const browser = new PushBrowser();
  const subscription = { endpoint: "https://push.example/1", expirationTime: null, keys: browser.keys };
  const text = "x".repeat(length);
  const body = Buffer.from(await encryptNotification(subscription, Buffer.from(text)));
  expect(browser.read(body)).toBe(text);
  expect(body).toHaveLength(4096);
  expect(() => new PushBrowser().read(body)).toThrow();
  body.writeUInt8(body.readUInt8(2000) ^ 1, 2000);
  expect(() => browser.read(body)).toThrow();
});
