import { createHash, randomBytes } from "node:crypto";
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { addVary } from "../compression/vary.ts";
import type { GatewayContext } from "../context.ts";
import { isUnchanged } from "../etag.ts";
import { openApiDocument } from "./document.ts";
import { docsPage, pagePolicy } from "./scalar/page.ts";
import { packedScript, plainScript } from "./scalar/script.ts";

interface Resource {
  body: Buffer;
  etag: string;
  headers: Record<string, string>;
}

const scriptSeconds = 86_400;
const gzipAccepted = /(?:^|[\s,])gzip\s*(?:$|,|;\s*q=(?!0(?:\.0*)?\s*(?:$|,)))/i;

/** /openapi.json, which is made once, when the gateway starts; and /docs for people, where Scalar shows it. */
export async function openApiPlugin(
  app: FastifyInstance,
  { context }: { context: Pick<GatewayContext, "methods" | "version"> },
): Promise<void> {
  const services = new Set(context.methods.map((method) => method.parent));
  const document = openApiDocument([...services], { version: context.version });
  const openApi = resource(JSON.stringify(document), { "content-type": "application/json; charset=utf-8" });
  app.get("/openapi.json", (request, reply) => send(openApi, request, reply));
  app.get("/docs", (_request, reply) => {
    const nonce = randomBytes(18).toString("base64");
    reply.headers({
      "content-type": "text/html; charset=utf-8",
      "content-security-policy": pagePolicy(nonce),
      "cache-control": "no-store",
    });
    return reply.send(docsPage(nonce));
  });
  app.get("/docs/scalar.js", sendScript);
}

/** It comes compressed out of its package's own process, and is plain for the few who do not take that. */
async function sendScript({ headers }: FastifyRequest, reply: FastifyReply): Promise<Buffer> {
  const takesGzip = gzipAccepted.test(String(headers["accept-encoding"] ?? ""));
  reply.headers({
    "content-type": "application/javascript; charset=utf-8",
    "cache-control": `public, max-age=${scriptSeconds}`,
  });
  addVary(reply, "accept-encoding");
  if (takesGzip) reply.header("content-encoding", "gzip");
  return takesGzip ? packedScript() : plainScript();
}

function resource(text: string, headers: Record<string, string>): Resource {
  const body = Buffer.from(text);
  return { body, etag: `"${createHash("sha256").update(body).digest("base64url")}"`, headers };
}

function send({ body, etag, headers }: Resource, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  reply.headers({ ...headers, etag, "cache-control": "public, no-cache" });
  return isUnchanged(request.headers["if-none-match"], etag) ? reply.code(304).send() : reply.send(body);
}
