import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import type { CodingName } from "../compression/accepted.ts";
import type { Coding } from "../compression/codings.ts";
import { leastCompressed } from "../compression/connect-compressions.ts";
import { codedTag, plainTags, tagAsGiven } from "../compression/entity-tags.ts";
import { negotiateCoding } from "../compression/negotiate.ts";
import { addVary } from "../compression/vary.ts";

const compressible =
  /^(?:application\/(?:[\w.-]+\+)?json|application\/(?:proto|javascript)|text\/(?!event-stream)|image\/svg)/;
const conditions = ["if-match", "if-none-match"] as const;

/** What is sent more than once is packed once. */
const packed = new WeakMap<Buffer, Map<CodingName, Promise<Buffer>>>();

declare module "fastify" {
  interface FastifyRequest {
    /** If-None-Match as it came, when it named a compressed representation. */
    givenTags: string | undefined;
  }
}

/**
 * Compresses whole answers as Accept-Encoding asks. Streams go out as they are: what is buffered would come late. RPC
 * messages have compression of their own, see compression/connect-compressions.ts.
 */
export function compressAnswers(app: FastifyInstance): void {
  app.decorateRequest("givenTags", undefined);
  app.addHook("onRequest", (request, _reply, done) => {
    readConditions(request);
    done();
  });
  app.addHook("onSend", (request, reply, payload, done) => {
    if (reply.statusCode === 304) nameRepresentation(request, reply);
    const coding = isCompressible(reply, payload) ? codingOfAnswer(request, reply) : undefined;
    if (coding === undefined) done(null, payload);
    else packOnce(payload as string | Buffer, coding).then((bytes) => done(null, bytes), done);
  });
}

/** Whoever asks about a compressed representation asks about the version that it shows. */
function readConditions(request: FastifyRequest): void {
  const { headers } = request.raw;
  for (const name of conditions) {
    const given = headers[name];
    if (given === undefined) continue;
    const plain = plainTags(given);
    if (plain === given) continue;
    if (name === "if-none-match") request.givenTags = given;
    headers[name] = plain;
  }
}

/** "Not modified" means the representation that the client has. */
function nameRepresentation({ givenTags }: FastifyRequest, reply: FastifyReply): void {
  const etag = reply.getHeader("etag");
  if (givenTags !== undefined && typeof etag === "string") reply.header("etag", tagAsGiven(givenTags, etag));
  if (etag !== undefined) addVary(reply, "accept-encoding");
}

function isCompressible(reply: FastifyReply, payload: unknown): boolean {
  const isWhole = typeof payload === "string" || Buffer.isBuffer(payload);
  if (!isWhole || payload.length < leastCompressed || reply.hasHeader("content-encoding")) return false;
  return compressible.test(String(reply.getHeader("content-type") ?? ""));
}

/** Chooses the coding, and has the headers say so. */
function codingOfAnswer({ headers }: FastifyRequest, reply: FastifyReply): Coding | undefined {
  addVary(reply, "accept-encoding");
  const coding = negotiateCoding(headers["accept-encoding"]);
  if (coding === undefined) return undefined;
  const etag = reply.getHeader("etag");
  if (typeof etag === "string") reply.header("etag", codedTag(etag, coding.name));
  reply.header("content-encoding", coding.name).removeHeader("content-length");
  return coding;
}

function packOnce(payload: string | Buffer, { name, compress }: Coding): Promise<Buffer> {
  if (typeof payload === "string") return compress(Buffer.from(payload));
  const known = packed.get(payload) ?? new Map<CodingName, Promise<Buffer>>();
  packed.set(payload, known);
  let result = known.get(name);
  if (result === undefined) {
    result = compress(payload);
    known.set(name, result);
  }
  return result;
}
