import { createHash } from "node:crypto";
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import type { GatewayContext } from "../context.ts";
import { isUnchanged } from "../etag.ts";
import { openApiDocument } from "./document.ts";
import { docsPage, pagePolicy } from "./page/page.ts";

interface Resource {
  body: Buffer;
  etag: string;
  headers: Record<string, string>;
}

/** /openapi.json, and /docs for people. Both are made once, when the gateway starts. */
export async function openApiPlugin(
  app: FastifyInstance,
  { context }: { context: Pick<GatewayContext, "methods" | "version"> },
): Promise<void> {
  const services = new Set(context.methods.map((method) => method.parent));
  const document = openApiDocument([...services], { version: context.version });
  const openApi = resource(JSON.stringify(document), { "content-type": "application/json; charset=utf-8" });
  const docs = resource(docsPage(document), {
    "content-type": "text/html; charset=utf-8",
    "content-security-policy": pagePolicy,
  });
  app.get("/openapi.json", (request, reply) => send(openApi, request, reply));
  app.get("/docs", (request, reply) => send(docs, request, reply));
}

function resource(text: string, headers: Record<string, string>): Resource {
  const body = Buffer.from(text);
  return { body, etag: `"${createHash("sha256").update(body).digest("base64url")}"`, headers };
}

function send({ body, etag, headers }: Resource, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  reply.headers({ ...headers, etag, "cache-control": "public, no-cache" });
  return isUnchanged(request.headers["if-none-match"], etag) ? reply.code(304).send() : reply.send(body);
}
