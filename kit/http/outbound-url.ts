import { type BlockList, isIP } from "node:net";
import { contains, isPublicAddress, networks } from "./addresses.ts";

/** Where people's own URLs may lead this installation. */
export interface OutboundPolicy {
  /** Whether http may be used, too; else https alone. */
  allowHttp: boolean;
  /** Networks, in CIDR notation, that may be reached though they are not public. */
  allowedNetworks: readonly string[];
}

/** Why a request is not made; a short name, which says nothing of the URL. */
export type RefusedUrl = "url_invalid" | "url_scheme" | "url_credentials" | "url_port" | "address_forbidden";

/** Decides on URLs and addresses. */
export class OutboundRules {
  readonly #allowHttp: boolean;
  readonly #allowed: BlockList;

  constructor({ allowHttp, allowedNetworks }: OutboundPolicy) {
    this.#allowHttp = allowHttp;
    this.#allowed = networks(allowedNetworks);
  }

  /** Whether a connection to an address may be made. */
  permits(address: string): boolean {
    return isPublicAddress(address) || contains(this.#allowed, address);
  }

  /** The URL, as the WHATWG URL Standard reads it, or why it may not be called. A name's addresses are not looked up. */
  read(text: string): URL | RefusedUrl {
    const url = URL.canParse(text) ? new URL(text) : undefined;
    if (url === undefined || url.hostname === "") return "url_invalid";
    if (url.protocol !== "https:" && !(url.protocol === "http:" && this.#allowHttp)) return "url_scheme";
    if (url.username !== "" || url.password !== "") return "url_credentials";
    const host = hostOf(url);
    if (isIP(host) !== 0 && !this.permits(host)) return "address_forbidden";
    // Ports of other protocols' servers, which might take a request for something of theirs.
    const port = Number(url.port);
    return url.port === "" || port === 80 || port === 443 || port >= 1024 ? url : "url_port";
  }
}

/** The host without the brackets of an IPv6 address. */
export function hostOf({ hostname }: URL): string {
  return hostname.replace(/^\[(.*)\]$/, "$1");
}
