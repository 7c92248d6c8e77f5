import { isIPv6 } from "node:net";

/**
 * Whose bucket an address has. A customer is given a whole /64 of IPv6 (RFC 6177), so that its last 64 bits, which
 * anybody may choose anew for each connection, do not count.
 */
export function addressKey(address: string): string {
  if (!isIPv6(address)) return address;
  const [plain] = address.split("%");
  // One spelling, with at most one "::" and without a dotted end.
  const canonical = new URL(`http://[${plain}]`).hostname.slice(1, -1);
  const [before = [], after = []] = canonical.split("::").map((half) => (half === "" ? [] : half.split(":")));
  const zeros = Array<string>(8 - before.length - after.length).fill("0");
  return `${[...before, ...zeros, ...after].slice(0, 4).join(":")}::/64`;
}
