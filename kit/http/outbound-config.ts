import { type EnvSchema, env, type Reader, type Values } from "../env.ts";
import { networks } from "./addresses.ts";
import type { OutboundPolicy } from "./outbound-url.ts";

const cidrs: Reader<string[]> = {
  ...env.list("WEBHOOK_ALLOWED_NETWORKS"),
  expects: "networks in CIDR notation, such as 10.1.0.0/16, between commas",
  fallback: [],
  parse: (text) => {
    const given = text.split(",").map((cidr) => cidr.trim());
    try {
      networks(given);
      return given;
    } catch {
      return undefined;
    }
  },
};

/** Where people's own URLs may lead. */
export const outboundEnvironment = {
  webhookAllowHttp: env.boolean("WEBHOOK_ALLOW_HTTP", { default: false }),
  webhookAllowedNetworks: cidrs,
} satisfies EnvSchema;

export function outboundPolicy(values: Values<typeof outboundEnvironment>): OutboundPolicy {
  return { allowHttp: values.webhookAllowHttp, allowedNetworks: values.webhookAllowedNetworks };
}
