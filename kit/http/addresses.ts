import { BlockList, isIP, isIPv6 } from "node:net";

// What is not to be reached from outside: the IANA special-purpose registries (RFC 6890) where they are not global, and
// the addresses of cloud platforms' own services that lie among global ones.
const specialIpv4 = [
  "0.0.0.0/8",
  "10.0.0.0/8",
  "100.64.0.0/10",
  "127.0.0.0/8",
  "168.63.129.16/32",
  "169.254.0.0/16",
  "172.16.0.0/12",
  "192.0.0.0/24",
  "192.0.2.0/24",
  "192.88.99.0/24",
  "192.168.0.0/16",
  "198.18.0.0/15",
  "198.51.100.0/24",
  "203.0.113.0/24",
  "224.0.0.0/4",
  "240.0.0.0/4",
];
// All global unicast is in 2000::/3; in it, what embeds an IPv4 address or documents something.
const globalIpv6 = "2000::/3";
const specialIpv6 = ["2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20"];

/** A set of networks in CIDR notation. Throws a RangeError for what is none. */
export function networks(cidrs: readonly string[]): BlockList {
  const list = new BlockList();
  for (const cidr of cidrs) {
    const [address = "", bits = "", ...rest] = cidr.split("/");
    const family = isIP(address);
    const isNetwork = family !== 0 && /^\d{1,3}$/.test(bits) && Number(bits) <= (family === 6 ? 128 : 32);
    if (!isNetwork || rest.length > 0 || address.includes("%")) throw new RangeError("no network in CIDR notation");
    list.addSubnet(address, Number(bits), family === 6 ? "ipv6" : "ipv4");
  }
  return list;
}

const special = { ipv4: networks(specialIpv4), ipv6: networks(specialIpv6) };
const global = networks([globalIpv6]);

/** Whether an address belongs to the public Internet; one that is written in another form of IPv6 never does. */
export function isPublicAddress(address: string): boolean {
  if (!isIPv6(address)) return isIP(address) === 4 && !special.ipv4.check(address, "ipv4");
  if (address.includes("%")) return false;
  return global.check(address, "ipv6") && !special.ipv6.check(address, "ipv6");
}

/** Whether a set has an address. */
export function contains(list: BlockList, address: string): boolean {
  const family = isIP(address);
  return family !== 0 && !address.includes("%") && list.check(address, family === 6 ? "ipv6" : "ipv4");
}
