import { describe, expect, it } from "vitest";
import { newSecret, secretText } from "../../services/notification/domain/webhook-secret.ts";
import { signedHeaders } from "./signature.ts";

const secretOf = (text: string) => Buffer.from(text.replace("whsec_", ""), "base64");

// The example that implementations of Standard Webhooks are checked with.
const message = { id: "msg_p5jXN8AQM9LWM0D4loKWxJek", timestamp: 1_614_265_330, body: '{"test": 2432232314}' };
const secret = secretOf("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
const signature = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";

describe("signedHeaders", () => {
  it("signs as Standard Webhooks says", () => {
    expect(signedHeaders(message, [secret])).toEqual({
      "webhook-id": message.id,
      "webhook-timestamp": "1614265330",
      "webhook-signature": signature,
    });
  });

  it("signs with each secret while one takes the place of another", () => {
    const { "webhook-signature": both } = signedHeaders(message, [newSecret(), secret]);
    expect(both.split(" ")).toEqual([expect.stringMatching(/^v1,[\w+/]{43}=$/), signature]);
  });

  it.each([{ id: "msg_other" }, { timestamp: message.timestamp + 1 }, { body: '{"test": 2432232315}' }])(
    "signs %j otherwise",
    (change) => {
      expect(signedHeaders({ ...message, ...change }, [secret])["webhook-signature"]).not.toBe(signature);
    },
  );
});

it("writes a secret so that libraries take it", () => {
  const made = newSecret();
  expect(secretText(made)).toMatch(/^whsec_[\w+/]{43}=$/);
  expect(secretOf(secretText(made))).toEqual(made);
});
