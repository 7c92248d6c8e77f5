import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { ErrorReason } from "#gen/mesh/v1/error_reason_pb.js";
import { ServiceError } from "#kit/errors.ts";
import { type Edge, startEdge } from "./edge.ts";

const listed = "http://app.localhost:3000";
const tls = { "x-forwarded-proto": "https" };
const session = { "x-session": "cookie" };
const secure = "__Host-taskmesh-refresh";
const plain = "taskmesh-refresh";
const credentials = { email: "a@example.org", password: "password-1" };

let edge: Edge;
let issued = 0;
const traded: string[] = [];
beforeAll(async () => {
  edge = await startEdge({ cors: { origins: [listed] }, refreshTokenTtl: 600 });
  const tokens = () => ({ accessToken: "access", refreshToken: `refresh-${++issued}`, expiresIn: 900 });
  edge.handlers.set("auth.v1.AuthService/Register", async () => tokens());
  edge.handlers.set("auth.v1.AuthService/Login", async () => tokens());
  edge.handlers.set("auth.v1.AuthService/Logout", async () => ({}));
  edge.handlers.set("auth.v1.AuthService/RefreshToken", async ({ refreshToken }) => {
    traded.push(refreshToken);
    if (refreshToken !== "spent") return tokens();
    throw new ServiceError({ reason: ErrorReason.REFRESH_TOKEN_INVALID, message: "spent" });
  });
});
afterAll(() => edge?.close());
beforeEach(() => {
  traded.length = 0;
  edge.arrivals.length = 0;
});

const faces = {
  REST: {
    Register: "/v1/auth/register",
    Login: "/v1/auth/login",
    RefreshToken: "/v1/auth/refresh",
    Logout: "/v1/auth/logout",
  },
  Connect: Object.fromEntries(
    ["Register", "Login", "RefreshToken", "Logout"].map((rpc) => [rpc, `/auth.v1.AuthService/${rpc}`]),
  ) as Record<"Register" | "Login" | "RefreshToken" | "Logout", string>,
};
type Face = keyof typeof faces;
type Rpc = keyof (typeof faces)["REST"];

async function call(face: Face, rpc: Rpc, headers: Record<string, string>, body: object = {}) {
  const response = await fetch(edge.url + faces[face][rpc], {
    method: "POST",
    headers: { "content-type": "application/json", ...headers },
    body: JSON.stringify(body),
  });
  // biome-ignore lint/suspicious/noExplicitAny: answers of every shape
  const answer = (await response.json()) as any;
  return { status: response.status, cookies: response.headers.getSetCookie(), answer };
}

describe.each(["REST", "Connect"] as const)("by %s", (face) => {
  test.each(["Login", "Register"] as const)(
    "%s puts the refresh token into a cookie that no script sees",
    async (rpc) => {
      const { answer, cookies } = await call(face, rpc, { ...session, ...tls }, credentials);
      expect(answer).toMatchObject({ accessToken: "access", refreshToken: "", expiresIn: 900 });
      expect(cookies).toEqual([`${secure}=refresh-${issued}; Max-Age=600; Path=/; HttpOnly; Secure; SameSite=Strict`]);
    },
  );

  test("without TLS the name has no prefix and the cookie is not bound to TLS", async () => {
    const { cookies } = await call(face, "Login", session, credentials);
    expect(cookies).toEqual([`${plain}=refresh-${issued}; Max-Age=600; Path=/; HttpOnly; SameSite=Strict`]);
  });

  test("who does not ask for a cookie gets none, and theirs is not read", async () => {
    const { answer, cookies } = await call(face, "Login", { cookie: `${plain}=mine` }, credentials);
    expect(answer.refreshToken).toBe(`refresh-${issued}`);
    expect(cookies).toEqual([]);
    const refresh = await call(face, "RefreshToken", { cookie: `${plain}=mine` });
    expect(refresh.status).toBe(400);
    expect(traded).toEqual([]);
  });

  test("RefreshToken trades the token of the cookie and replaces it", async () => {
    const { answer, cookies } = await call(face, "RefreshToken", { ...session, ...tls, cookie: `a=b; ${secure}=mine` });
    expect(traded).toEqual(["mine"]);
    expect(answer).toMatchObject({ accessToken: "access", refreshToken: "" });
    expect(cookies[0]).toContain(`${secure}=refresh-${issued};`);
  });

  test("a token in the body goes before the cookie", async () => {
    await call(face, "RefreshToken", { ...session, cookie: `${plain}=mine` }, { refreshToken: "given" });
    expect(traded).toEqual(["given"]);
  });

  test("over TLS the name without the prefix is not read: another host could have set it", async () => {
    const { status } = await call(face, "RefreshToken", { ...session, ...tls, cookie: `${plain}=planted` });
    expect(status).toBe(400);
    expect(traded).toEqual([]);
  });

  test("a login replaces the cookie that was there", async () => {
    const { cookies } = await call(face, "Login", { ...session, cookie: `${plain}=planted` }, credentials);
    expect(cookies[0]).toContain(`${plain}=refresh-${issued};`);
    expect(edge.arrivals.map(({ call }) => call.header("cookie")).filter(Boolean)).toEqual([]);
  });

  test("a refused token and Logout clear it", async () => {
    const refused = await call(face, "RefreshToken", { ...session, cookie: `${plain}=spent` });
    expect(refused.status).toBe(401);
    expect(refused.cookies).toEqual([`${plain}=; Max-Age=0; Path=/; HttpOnly; SameSite=Strict`]);
    const bearer = { authorization: `Bearer ${edge.issuer.token()}` };
    const out = await call(face, "Logout", { ...session, ...bearer, cookie: `${plain}=mine` });
    expect(out.cookies).toEqual([`${plain}=; Max-Age=0; Path=/; HttpOnly; SameSite=Strict`]);
  });

  test("the cookie authorises no call", async () => {
    const { status } = await call(face, "Logout", { ...session, cookie: `${plain}=mine` });
    expect(status).toBe(401);
    expect(edge.arrivals.filter(({ method }) => method.endsWith("/Logout"))).toEqual([]);
  });

  const host = () => new URL(edge.url).host;
  test.each([
    ["a page of another site", () => ({ "sec-fetch-site": "cross-site", origin: "https://evil.example" })],
    ["a page of another port", () => ({ "sec-fetch-site": "same-site", origin: "http://127.0.0.1:1" })],
    ["an opaque origin", () => ({ origin: "null" })],
    ["another origin, told by an old browser", () => ({ origin: "https://evil.example" })],
    ["our host by another scheme", () => ({ origin: `https://${host()}` })],
    ["a page of another site that hides its origin", () => ({ "sec-fetch-site": "cross-site" })],
  ])("%s is refused, and nothing is traded", async (_what, headers) => {
    for (const rpc of ["RefreshToken", "Login"] as const) {
      const { status, cookies, answer } = await call(
        face,
        rpc,
        { ...session, ...headers(), cookie: `${plain}=mine` },
        rpc === "Login" ? credentials : {},
      );
      expect(status).toBe(403);
      expect(cookies).toEqual([]);
      expect(JSON.stringify(answer)).toContain("origin");
    }
    expect(
      edge.arrivals.filter(({ method }) => method.startsWith("auth.v1.AuthService/") && !/Jwks|Revoked/.test(method)),
    ).toEqual([]);
  });

  test.each([
    ["a page of ours", () => ({ "sec-fetch-site": "same-origin", origin: `http://${host()}` })],
    ["a listed origin", () => ({ "sec-fetch-site": "same-site", origin: listed })],
    ["a program", () => ({})],
  ])("%s may", async (_what, headers) => {
    const { status } = await call(face, "RefreshToken", { ...session, ...headers(), cookie: `${plain}=mine` });
    expect(status).toBe(200);
  });
});

test("another wish than a cookie is refused by name", async () => {
  const { status, answer } = await call("REST", "Login", { "x-session": "cookies" }, credentials);
  expect(status).toBe(400);
  expect(answer.fieldViolations[0].field).toBe("x_session");
});
