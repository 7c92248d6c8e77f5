import { mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { Tickets } from "./tickets.ts";
import { cookieOf, ensureOpsToken, isSame, readOpsToken } from "./token.ts";

const folder = mkdtempSync(join(tmpdir(), "ops-token-"));
afterAll(() => rmSync(folder, { recursive: true }));

describe("the operator's token", () => {
  test("is made once, for its owner only", () => {
    const file = join(folder, "made");
    const token = ensureOpsToken(file);
    expect(token).toMatch(/^[\w-]{43}$/);
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(ensureOpsToken(file)).toBe(token);
  });

  test("is not taken from a file that lacks one", () => {
    const file = join(folder, "empty");
    expect(() => readOpsToken(file)).toThrow(/^There is no operator's token at /);
    writeFileSync(file, "\n");
    expect(() => readOpsToken(file)).toThrow(/holds no operator's token/);
  });

  test("is the same as itself alone, and cannot be told from its cookie", () => {
    expect(isSame("secret", "secret")).toBe(true);
    expect(isSame("secre", "secret")).toBe(false);
    expect(isSame("", "")).toBe(true);
    expect(isSame(undefined, "")).toBe(false);
    expect(cookieOf("secret")).not.toContain("secret");
    expect(cookieOf("secret")).not.toBe(cookieOf("other"));
  });
});

describe("tickets", () => {
  test("are good once", () => {
    const tickets = new Tickets();
    const ticket = tickets.issue();
    expect(tickets.redeem("made up")).toBe(false);
    expect(tickets.redeem(ticket)).toBe(true);
    expect(tickets.redeem(ticket)).toBe(false);
  });

  test("are good for ten minutes", () => {
    let now = 0;
    const tickets = new Tickets(() => now);
    const [early, late] = [tickets.issue(), tickets.issue()];
    now = 600_000;
    expect(tickets.redeem(early)).toBe(true);
    now++;
    expect(tickets.redeem(late)).toBe(false);
  });

  test("do not pile up: the oldest go", () => {
    const tickets = new Tickets();
    const issued = Array.from({ length: 17 }, () => tickets.issue());
    expect(issued.map((ticket) => tickets.redeem(ticket))).toEqual([false, ...Array(16).fill(true)]);
  });
});
