import { lookup as lookupHost } from "node:dns/promises";
import type { IncomingMessage, OutgoingHttpHeaders } from "node:http";
import { isIP, type LookupFunction } from "node:net";
import { untilAborted } from "../db/cancellation.ts";
import { hostOf, type OutboundPolicy, OutboundRules, type RefusedUrl } from "./outbound-url.ts";

/** Why there is no answer; a short name, which says nothing of the URL or of what was there. */
export type OutboundFault = RefusedUrl | "name_unknown" | "timeout" | "tls_failed" | "no_answer";

/** A request that was not made or not answered. */
export class OutboundError extends Error {
  override readonly name = "OutboundError";
  readonly fault: OutboundFault;

  constructor(fault: OutboundFault) {
    super(fault);
    this.fault = fault;
  }

  /** Whether it was not made, because it may not be. */
  get isRefused(): boolean {
    return this.fault.startsWith("url_") || this.fault === "address_forbidden";
  }
}

export interface OutboundAnswer {
  status: number;
  /** What Retry-After asks for, in milliseconds, if it is there as a number of seconds. */
  retryAfterMs: number | undefined;
}

export interface OutboundRequest {
  headers: OutgoingHttpHeaders;
  body: string | Uint8Array;
  signal: AbortSignal;
}

interface Address {
  address: string;
  family: number;
}

export interface OutboundOptions extends OutboundPolicy {
  /** For the whole request, from the name to the end of the answer, in milliseconds. */
  timeoutMs?: number;
  /** Finds a host's addresses. */
  lookup?: (host: string) => Promise<Address[]>;
}

const usualTimeoutMs = 5_000;
const longestAnswer = 65_536;

/**
 * Sends requests to URLs that people gave, and to nothing that is not for them to reach: the name is resolved once, all of
 * its addresses must be permitted, and the connection goes to one of them. Redirects are not followed. At most 64 KiB of
 * an answer are read, and none of them kept.
 */
export class Outbound {
  readonly rules: OutboundRules;
  readonly #timeoutMs: number;
  readonly #lookup: (host: string) => Promise<Address[]>;

  constructor({ timeoutMs = usualTimeoutMs, lookup, ...policy }: OutboundOptions) {
    this.rules = new OutboundRules(policy);
    this.#timeoutMs = timeoutMs;
    this.#lookup = lookup ?? ((host) => lookupHost(host, { all: true, verbatim: true }));
  }

  /** Throws an OutboundError when there is no answer, and what the signal says when it is aborted. */
  async post(text: string, { headers, body, signal }: OutboundRequest): Promise<OutboundAnswer> {
    const url = this.rules.read(text);
    if (typeof url === "string") throw new OutboundError(url);
    const within = AbortSignal.any([signal, AbortSignal.timeout(this.#timeoutMs)]);
    try {
      const addresses = await untilAborted(within, this.#addressesOf(hostOf(url)));
      return await send(url, addresses, { headers, body, signal: within });
    } catch (error) {
      if (signal.aborted) throw signal.reason;
      if (error instanceof OutboundError) throw error;
      throw new OutboundError(within.aborted ? "timeout" : faultOf(error));
    }
  }

  /** One that is forbidden makes the name forbidden: who answers so is not to be trusted with the others. */
  async #addressesOf(host: string): Promise<Address[]> {
    const family = isIP(host);
    const found = family === 0 ? await this.#lookup(host).catch(() => []) : [{ address: host, family }];
    if (found.length === 0) throw new OutboundError("name_unknown");
    if (!found.every(({ address }) => this.rules.permits(address))) throw new OutboundError("address_forbidden");
    return found;
  }
}

async function send(url: URL, addresses: Address[], { headers, body, signal }: OutboundRequest) {
  const { request } = url.protocol === "https:" ? await import("node:https") : await import("node:http");
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
  const lookup: LookupFunction = (_host, { all }, done) => {
    const [first] = addresses as [Address];
    if (all) done(null, addresses);
    else done(null, first.address, first.family);
  };
  const outgoing = request(url, { method: "POST", headers, lookup, signal, agent: false }, resolve);
  outgoing.on("error", reject);
  outgoing.end(body);
  const answer = await promise;
  await skipBody(answer);
  const retryAfter = answer.headers["retry-after"] ?? "";
  return {
    status: answer.statusCode ?? 0,
    retryAfterMs: /^\d{1,6}$/.test(retryAfter) ? Number(retryAfter) * 1000 : undefined,
  };
}

/** Lets the other side finish, within reason; the status has been said, whatever becomes of the rest. */
async function skipBody(answer: IncomingMessage): Promise<void> {
  let length = 0;
  try {
    for await (const chunk of answer) {
      length += (chunk as Buffer).length;
      if (length > longestAnswer) break;
    }
  } catch {
  } finally {
    answer.destroy();
  }
}

function faultOf(error: unknown): OutboundFault {
  const { code = "" } = error as { code?: string };
  const isAboutTls = /^(ERR_TLS|ERR_SSL|CERT_|DEPTH_|SELF_|UNABLE_TO_|HOSTNAME_)/.test(code) || code === "EPROTO";
  return isAboutTls ? "tls_failed" : "no_answer";
}
