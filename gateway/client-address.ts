import type { IncomingHttpHeaders } from "node:http";
import { isIP } from "node:net";

const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i;

/**
 * The address of the client, as the nearest proxy of ours saw it. Each of our proxies appends the address that it was
 * called from to x-forwarded-for, so with n of them the n-th entry from the right is the first that nobody can forge.
 */
export function clientAddress(headers: IncomingHttpHeaders, peer: string | undefined, trustedHops: number): string {
  const forwarded = trustedHops > 0 ? headers["x-forwarded-for"] : undefined;
  const entry = forwarded && String(forwarded).split(",").at(-trustedHops)?.trim();
  const address = entry && isIP(entry) ? entry : (peer ?? "");
  return mapped.exec(address)?.[1] ?? address;
}
