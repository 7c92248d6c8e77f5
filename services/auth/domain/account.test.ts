import { expect, it } from "vitest";
import { chooseAccount, isNoticeDue } from "./account.ts";

const account = (ownsEmail: boolean, day: number) => ({ ownsEmail, createTime: new Date(Date.UTC(2026, 0, day)) });

it("means the owner of the address, else the oldest", () => {
  const [owner, young, old] = [account(true, 9), account(false, 8), account(false, 7)];
  expect(chooseAccount([young, owner, old])).toBe(owner);
  expect(chooseAccount([young, old])).toBe(old);
  expect(chooseAccount([])).toBeUndefined();
});

it("tells an owner of a try once in an hour", () => {
  const now = new Date(10_000_000);
  expect(isNoticeDue(undefined, now)).toBe(true);
  expect(isNoticeDue(new Date(now.getTime() - 3_599_999), now)).toBe(false);
  expect(isNoticeDue(new Date(now.getTime() - 3_600_000), now)).toBe(true);
});
