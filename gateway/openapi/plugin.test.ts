import fastify from "fastify";
import { expect, it } from "vitest";
import { isExposed, meshServices } from "../services.ts";
import { openApiPlugin } from "./plugin.ts";

const methods = Object.values(meshServices).flatMap((service) => service.methods.filter(isExposed));
const app = fastify();
app.register(openApiPlugin, { context: { methods, version: "1.2.3" } });

it("serves the document", async () => {
  const { statusCode, headers, payload } = await app.inject("/openapi.json");
  expect(statusCode).toBe(200);
  expect(headers["content-type"]).toBe("application/json; charset=utf-8");
  expect(JSON.parse(payload)).toMatchObject({ openapi: "3.1.1", info: { version: "1.2.3" } });
});

it("serves the page under a policy of its own", async () => {
  const { statusCode, headers, payload } = await app.inject("/docs");
  expect(statusCode).toBe(200);
  expect(headers["content-type"]).toBe("text/html; charset=utf-8");
  expect(headers["content-security-policy"]).toContain("style-src 'sha256-");
  expect(payload).toMatch(/^<!doctype html>/);
});

it.each(["/openapi.json", "/docs"])("answers %s with its tag alone to who has it already", async (url) => {
  const first = await app.inject(url);
  const tag = String(first.headers.etag);
  expect(first.headers["cache-control"]).toBe("public, no-cache");
  for (const known of [tag, `W/${tag}`, `"other", ${tag}`, "*"]) {
    const again = await app.inject({ url, headers: { "if-none-match": known } });
    expect([again.statusCode, again.payload, again.headers.etag]).toEqual([304, "", tag]);
  }
  expect((await app.inject({ url, headers: { "if-none-match": '"other"' } })).statusCode).toBe(200);
});
