import { isIPv4, isIPv6 } from "node:net";

const unknown = "unknown";

/**
 * What one client is told from another by: its IPv4 address, or the /64 prefix of its IPv6 address, because a single
 * subscriber has at least a whole /64. An IPv4 address in IPv6 form counts as IPv4.
 */
export function clientNetwork(ip: string | undefined): string {
  const address = (ip ?? "").trim();
  if (isIPv4(address)) return address;
  if (!isIPv6(address)) return unknown;
  const groups = expand(address);
  const [high = 0, low = 0] = groups.slice(6);
  if (groups.slice(0, 5).every((group) => group === 0) && groups[5] === 0xffff) {
    return [high >> 8, high & 255, low >> 8, low & 255].join(".");
  }
  return `${groups
    .slice(0, 4)
    .map((group) => group.toString(16))
    .join(":")}::/64`;
}

function expand(address: string): number[] {
  const host = new URL(`http://[${address.split("%")[0]}]`).hostname.slice(1, -1);
  const [head = "", tail] = host.split("::");
  const parse = (part: string) => (part === "" ? [] : part.split(":").map((group) => Number.parseInt(group, 16)));
  const left = parse(head);
  const right = parse(tail ?? "");
  return [...left, ...Array<number>(8 - left.length - right.length).fill(0), ...right];
}
