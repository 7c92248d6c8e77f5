import type { FastifyReply } from "fastify";

/** Adds a request header to those that the answer depends on (RFC 9110, section 12.5.5). */
export function addVary(reply: FastifyReply, header: string): void {
  const vary = reply.getHeader("vary");
  const names = vary === undefined ? [] : String(vary).split(/\s*,\s*/);
  if (!names.includes(header)) reply.header("vary", [...names, header].join(", "));
}
