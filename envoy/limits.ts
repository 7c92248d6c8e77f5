import { RateClass } from "#gen/mesh/v1/options_pb.js";
import { extension, type Json } from "./json.ts";
import type { Settings } from "./options.ts";
import { pathRegex, type Rpc } from "./rpcs.ts";

/** A bucket of calls for each address. */
interface Fence {
  name: string;
  /** Calls a second. */
  rate: number;
  /** Which calls it counts; undefined: those that no other class has. */
  rateClass?: RateClass;
  /** Whether they bring a token: the caller may be one who has ten times as much, which the gateway knows. */
  withToken: boolean;
}

const strangers: Fence[] = [
  { name: "general", rate: 50, withToken: false },
  { name: "auth", rate: 10, rateClass: RateClass.AUTH, withToken: false },
  { name: "urgent", rate: 5, rateClass: RateClass.URGENT, withToken: false },
];
const fences: Fence[] = [
  ...strangers,
  ...strangers.map((fence) => ({ ...fence, name: `${fence.name}-token`, rate: fence.rate * 10, withToken: true })),
];

/** A bucket holds the calls of so many seconds: the limits of the gateway, which say more, come before. */
const burstSeconds = 10;
/** Addresses that each fence remembers. The one that called longest ago is forgotten first. */
const addresses = 20_000;
const most = 2 ** 32 - 1;

/** The outer fence: a flood from one address (IPv6: one /64) ends here, before it costs the gateway anything. */
export function rateFilters({ rateLimitScale }: Settings, rpcs: readonly Rpc[]): Json[] {
  if (!Number.isFinite(rateLimitScale)) return [];
  const used = fences.filter(({ rateClass }) => rateClass === undefined || pathsOf(rateClass, rpcs) !== undefined);
  const always = { numerator: 100, denominator: "HUNDRED" };
  const message: Json = {
    stat_prefix: "edge_rates",
    filter_enabled: { default_value: always },
    filter_enforced: { default_value: always },
    // There must be one; it is nobody's.
    token_bucket: { max_tokens: most, tokens_per_fill: most, fill_interval: "1s" },
    always_consume_default_token_bucket: false,
    max_dynamic_descriptors: addresses,
    descriptors: used.map(({ name, rate }) => bucket(name, rate * rateLimitScale)),
    rate_limits: used.map((fence) => ({ actions: actionsOf(fence, rpcs) })),
    rate_limited_as_resource_exhausted: true,
    response_headers_to_add: [header("ratelimit", '"edge";r=0;t=1'), header("retry-after", "1")],
  };
  const type = "envoy.extensions.filters.http.local_ratelimit.v3.LocalRateLimit";
  return [extension("envoy.filters.http.local_ratelimit", type, message)];
}

/** No value for the address: each has a bucket of its own. */
function bucket(name: string, rate: number): Json {
  const perSecond = Math.min(most, Math.max(1, Math.round(rate)));
  return {
    entries: [{ key: "masked_remote_address" }, { key: "fence", value: name }],
    token_bucket: {
      max_tokens: Math.min(most, perSecond * burstSeconds),
      tokens_per_fill: perSecond,
      fill_interval: "1s",
    },
  };
}

/** A call is counted where all of these apply. */
function actionsOf({ name, rateClass, withToken }: Fence, rpcs: readonly Rpc[]): Json[] {
  const regex = pathsOf(rateClass, rpcs);
  const path = { name: ":path", string_match: { safe_regex: { regex } }, invert_match: rateClass === undefined };
  const headers = [
    ...(regex === undefined ? [] : [path]),
    { name: "authorization", present_match: true, invert_match: !withToken },
  ];
  return [
    { masked_remote_address: { v6_prefix_mask_len: 64 } },
    { header_value_match: { descriptor_key: "fence", descriptor_value: name, headers } },
  ];
}

/** Every spelling of the RPCs of a class, or of all those that are in one; undefined when there are none. */
function pathsOf(rateClass: RateClass | undefined, rpcs: readonly Rpc[]): string | undefined {
  const isMeant = (of: RateClass) => (rateClass === undefined ? of !== RateClass.GENERAL : of === rateClass);
  const meant = rpcs.filter((rpc) => rpc.public && isMeant(rpc.rateClass));
  const paths = new Set(meant.flatMap(({ path, rest }) => [path, ...rest.map(({ template }) => template)]));
  return paths.size === 0 ? undefined : `(${[...paths].map((template) => pathRegex(template)).join("|")})(\\?.*)?`;
}

function header(key: string, value: string): Json {
  return { header: { key, value }, append_action: "OVERWRITE_IF_EXISTS_OR_ADD" };
}
