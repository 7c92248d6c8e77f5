import { gunzipSync } from "node:zlib";
import fastify from "fastify";
import { describe, expect, it } from "vitest";
import { isExposed, meshServices } from "../services.ts";
import { openApiPlugin } from "./plugin.ts";
import { plainScript } from "./scalar/script.ts";

const methods = Object.values(meshServices).flatMap((service) => service.methods.filter(isExposed));
const app = fastify();
app.register(openApiPlugin, { context: { methods, version: "1.2.3" } });

it("serves the document", async () => {
  const { statusCode, headers, payload } = await app.inject("/openapi.json");
  expect(statusCode).toBe(200);
  expect(headers["content-type"]).toBe("application/json; charset=utf-8");
  expect(JSON.parse(payload)).toMatchObject({ openapi: "3.1.1", info: { version: "1.2.3" } });
});

it("answers the document with its tag alone to who has it already", async () => {
  const url = "/openapi.json";
  const first = await app.inject(url);
  const tag = String(first.headers.etag);
  expect(first.headers["cache-control"]).toBe("public, no-cache");
  for (const known of [tag, `W/${tag}`, `"other", ${tag}`, "*"]) {
    const again = await app.inject({ url, headers: { "if-none-match": known } });
    expect([again.statusCode, again.payload, again.headers.etag]).toEqual([304, "", tag]);
  }
  expect((await app.inject({ url, headers: { "if-none-match": '"other"' } })).statusCode).toBe(200);
});

describe("the page", () => {
  it("is under a policy that lets its own scripts and styles run, known by a nonce of this answer", async () => {
    const [first, second] = await Promise.all([app.inject("/docs"), app.inject("/docs")]);
    expect(first.headers["content-type"]).toBe("text/html; charset=utf-8");
    const policy = String(first.headers["content-security-policy"]);
    const [, nonce = ""] = /script-src 'nonce-([A-Za-z0-9+/]{24})';/.exec(policy) ?? [];
    expect(nonce).not.toBe("");
    expect(policy).not.toMatch(/unsafe-eval|https?:|\*|script-src[^;]*unsafe/);
    const scripts = first.payload.match(/<script/g) ?? [];
    expect(first.payload.match(new RegExp(`<script nonce="${nonce.replaceAll("+", "\\+")}"`, "g"))).toHaveLength(
      scripts.length,
    );
    expect(second.headers["content-security-policy"]).not.toBe(policy);
    expect(first.headers["cache-control"]).toBe("no-store");
  });

  it("names nothing that is elsewhere", async () => {
    const { payload } = await app.inject("/docs");
    expect(payload).not.toMatch(/(?:https?:)?\/\/[a-z]/i);
    expect([...payload.matchAll(/(?:src|href)="([^"]*)"/g)].map(([, target]) => target)).toEqual([
      "data:,",
      "/docs/scalar.js",
      "/openapi.json",
    ]);
  });

  it.each(["gzip, deflate, br, zstd", "br, gzip;q=0.5", "GZIP"])("has its script by gzip for %j", async (accepted) => {
    const url = "/docs/scalar.js";
    const { statusCode, headers, rawPayload } = await app.inject({ url, headers: { "accept-encoding": accepted } });
    expect([statusCode, headers["content-encoding"], headers.vary]).toEqual([200, "gzip", "accept-encoding"]);
    expect(headers["content-type"]).toBe("application/javascript; charset=utf-8");
    expect(headers["cache-control"]).toBe("public, max-age=86400");
    expect(rawPayload.length).toBeLessThan(1_500_000);
    expect(gunzipSync(rawPayload).includes("Scalar")).toBe(true);
  });

  it.each([undefined, "br", "gzip;q=0", "gzip;q=0.000, br", "xgzip"])("has it plain for %j", async (accepted) => {
    const given = accepted === undefined ? {} : { "accept-encoding": accepted };
    const { headers, payload } = await app.inject({ url: "/docs/scalar.js", headers: given });
    expect(headers).not.toHaveProperty("content-encoding");
    expect(payload).toContain("createApiReference");
  });

  it("says what else its script depends on, and unpacks it once", async () => {
    const behindCors = fastify();
    behindCors.addHook("onRequest", async (_request, reply) => void reply.header("vary", "origin"));
    behindCors.register(openApiPlugin, { context: { methods, version: "1.2.3" } });
    const { headers } = await behindCors.inject("/docs/scalar.js");
    expect(headers.vary).toBe("origin, accept-encoding");
    expect(await plainScript()).toBe(await plainScript());
  });
});
