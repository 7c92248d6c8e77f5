import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startMesh, type TestMesh } from "./mesh.ts";

// Half the rates: enough to see what goes through at once. A bucket holds ten seconds' worth.
let mesh: TestMesh;
beforeAll(async () => {
  mesh = await startMesh({ rateLimitScale: 0.5, shed: false });
});
afterAll(() => mesh.stop());

/** How many of so many requests at once are not refused; more than a bucket holds by what the time brings. */
async function allowedOf(count: number, path: string, headers: Record<string, string> = {}) {
  const begin = performance.now();
  const statuses = await Promise.all(
    Array.from({ length: count }, async () => {
      const response = await fetch(`http://127.0.0.1:${mesh.edge}${path}`, { headers });
      await response.arrayBuffer();
      return response.status;
    }),
  );
  const seconds = Math.ceil((performance.now() - begin) / 1000);
  return { allowed: statuses.filter((status) => status !== 429).length, seconds };
}

describe("the outer fence, for each address", () => {
  test("logins have a bucket of their own, by REST and by Connect, whatever the query", async () => {
    const { allowed, seconds } = await allowedOf(60, "/v1/auth/login?x=1");
    expect(allowed).toBeGreaterThanOrEqual(50);
    expect(allowed).toBeLessThanOrEqual(50 + 5 * seconds);
    expect((await allowedOf(20, "/auth.v1.AuthService/Login")).allowed).toBeLessThanOrEqual(5 * (seconds + 2));
  });

  test("other calls have theirs", async () => {
    const { allowed, seconds } = await allowedOf(400, "/v1/tasks");
    expect(allowed).toBeGreaterThanOrEqual(250);
    expect(allowed).toBeLessThanOrEqual(250 + 25 * seconds);
  });

  test("whoever brings a token is left to the gateway, which knows more, up to ten times as much", async () => {
    const headers = { authorization: "Bearer a" };
    expect((await allowedOf(400, "/v1/tasks", headers)).allowed).toBe(400);
  });

  test("a refusal says when to come back", async () => {
    await allowedOf(400, "/v1/tasks");
    let response = await fetch(`http://127.0.0.1:${mesh.edge}/v1/tasks`);
    while (response.status !== 429) response = await fetch(`http://127.0.0.1:${mesh.edge}/v1/tasks`);
    expect(response.headers.get("retry-after")).toBe("1");
    expect(response.headers.get("ratelimit")).toBe('"edge";r=0;t=1');
    expect(response.headers.get("content-type")).toMatch("application/problem+json");
    expect(await response.json()).toMatchObject({ status: 429, code: "RESOURCE_EXHAUSTED", reason: "RATE_LIMITED" });
  });
});
