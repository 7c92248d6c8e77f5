import { beforeEach, expect, test, vi } from "vitest";
import { ErrorReason } from "#gen/mesh/v1/error_reason_pb.js";
import { newApiKey } from "#kit/auth/api-key.ts";
import { unauthenticated, unavailable } from "#kit/errors.ts";
import { newId } from "#kit/id.ts";
import { ApiKeys, type Exchange } from "./api-keys.ts";

let now = 0;
let count = 0;
const exchange = vi.fn<Exchange>();
const refused = () => unauthenticated(ErrorReason.TOKEN_INVALID, "the API key is not valid");
const key = newApiKey(newId());
let keys: ApiKeys;

beforeEach(() => {
  [now, count] = [1_000_000, 0];
  exchange.mockReset().mockImplementation(async () => {
    count += 1;
    return { accessToken: `token ${count}`, expiresIn: 900 };
  });
  keys = new ApiKeys(exchange, { now: () => new Date(now) });
});

test("one exchange serves all that come at once, and those of the next minute", async () => {
  const tokens = await Promise.all(Array.from({ length: 20 }, () => keys.accessToken(key)));
  expect(new Set(tokens)).toEqual(new Set(["token 1"]));
  now += 59_000;
  expect(await keys.accessToken(key)).toBe("token 1");
  now += 1_000;
  expect(await keys.accessToken(key)).toBe("token 2");
  expect(exchange).toHaveBeenCalledTimes(2);
});

test("keys are not mistaken for each other", async () => {
  expect(await keys.accessToken(key)).toBe("token 1");
  expect(await keys.accessToken(newApiKey(newId()))).toBe("token 2");
});

test("a token that is about to expire is not used", async () => {
  exchange.mockResolvedValueOnce({ accessToken: "short", expiresIn: 5 });
  expect(await keys.accessToken(key)).toBe("short");
  now += 4_000;
  expect(await keys.accessToken(key)).toBe("token 1");
});

test.each(["", "tmk_", key.slice(0, -1), `${key}x`, key.replace("_", "-")])("%j is refused unasked", async (text) => {
  await expect(keys.accessToken(text)).rejects.toMatchObject({ reason: ErrorReason.TOKEN_INVALID });
  expect(exchange).not.toHaveBeenCalled();
});

test("a refusal is remembered, and asked again after ten seconds", async () => {
  exchange.mockRejectedValueOnce(refused());
  await expect(keys.accessToken(key)).rejects.toMatchObject({ reason: ErrorReason.TOKEN_INVALID });
  now += 9_900;
  await expect(keys.accessToken(key)).rejects.toMatchObject({ reason: ErrorReason.TOKEN_INVALID });
  expect(exchange).toHaveBeenCalledTimes(1);
  now += 200;
  expect(await keys.accessToken(key)).toBe("token 1");
});

test("a flood of forgeries does not push a good key out", async () => {
  await keys.accessToken(key);
  exchange.mockRejectedValue(refused());
  for (let forged = 0; forged < 10_500; forged += 1) {
    await keys.accessToken(newApiKey("01932f4e-5c00-7000-8000-3f6a1c2b4d5e")).catch(() => {});
  }
  expect(await keys.accessToken(key)).toBe("token 1");
});

test("while the auth service is away a key goes on until its token expires", async () => {
  await keys.accessToken(key);
  exchange.mockRejectedValue(unavailable("away"));
  now += 899_000;
  expect(await keys.accessToken(key)).toBe("token 1");
  now += 1_000;
  await expect(keys.accessToken(key)).rejects.toMatchObject({ reason: ErrorReason.UNAVAILABLE });
  exchange.mockReset().mockResolvedValue({ accessToken: "back", expiresIn: 900 });
  expect(await keys.accessToken(key)).toBe("back");
});

test("a key that is refused while it has a token has it no longer", async () => {
  await keys.accessToken(key);
  now += 60_000;
  exchange.mockRejectedValueOnce(refused());
  await expect(keys.accessToken(key)).rejects.toMatchObject({ reason: ErrorReason.TOKEN_INVALID });
  await expect(keys.accessToken(key)).rejects.toMatchObject({ reason: ErrorReason.TOKEN_INVALID });
});

test("a key that is forgotten is asked for again", async () => {
  await keys.accessToken(key);
  keys.forget(key);
  expect(await keys.accessToken(key)).toBe("token 2");
});
