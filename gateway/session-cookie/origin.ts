import type { IncomingHttpHeaders } from "node:http";

export interface OriginRules {
  /** Origins beside our own whose pages may use the cookie. */
  origins: readonly string[];
  /** How many proxies of ours are in front; without one, what says how the client came is the client's own word. */
  trustedHops: number;
}

/** Whether the client came by TLS, as the nearest proxy of ours tells. */
export function isTls(headers: IncomingHttpHeaders, { trustedHops }: OriginRules): boolean {
  return trustedHops > 0 && headers["x-forwarded-proto"] === "https";
}

/**
 * Whether a call comes from a page of ours, of a listed origin, or from no page at all. Browsers tell by Sec-Fetch-Site
 * (W3C Fetch Metadata), and by Origin, which a page cannot leave out of a request that changes something.
 */
export function isOfOrigin(headers: IncomingHttpHeaders, rules: OriginRules): boolean {
  const { origin, "sec-fetch-site": site, host } = headers;
  if (origin !== undefined && rules.origins.includes(origin)) return true;
  if (site !== undefined && site !== "same-origin" && site !== "none") return false;
  return origin === undefined || origin === `${isTls(headers, rules) ? "https" : "http"}://${authority(headers, host)}`;
}

/** Over HTTP/2 the host is in `:authority`. */
function authority(headers: IncomingHttpHeaders, host: string | undefined): string | undefined {
  return host ?? (headers[":authority"] as string | undefined);
}
