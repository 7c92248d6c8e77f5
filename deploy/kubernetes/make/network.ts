import { containerPorts, labelOf, partOf } from "./workloads.ts";

const tier = (name: "edge" | "app" | "data") => ({ podSelector: { matchLabels: { "taskmesh/tier": name } } });
const tcp = (...ports: number[]) => ports.map((port) => ({ protocol: "TCP", port }));
const { grpc, gatewayHttp, gatewayGrpc, admin, edge, mesh } = containerPorts as Record<string, number>;
const served = [...new Set([grpc, gatewayHttp, gatewayGrpc])] as number[];
const stores = [5432, 6379, 9092];
const collector = [4317, 4318];
const mail = [1025];

function policy(name: string, matchLabels: object, rules: { ingress?: object[]; egress?: object[] }) {
  const policyTypes = [...(rules.ingress ? ["Ingress"] : []), ...(rules.egress ? ["Egress"] : [])];
  return {
    apiVersion: "networking.k8s.io/v1",
    kind: "NetworkPolicy",
    metadata: { name },
    spec: { podSelector: { matchLabels }, policyTypes, ...rules },
  };
}

/** Public → edge → app → data, each tier open to the one before it alone; whatever is not said here is closed. */
export function networkPolicies(): object[] {
  const dns = {
    to: [{ namespaceSelector: { matchLabels: { "kubernetes.io/metadata.name": "kube-system" } } }],
    ports: [
      { protocol: "UDP", port: 53 },
      { protocol: "TCP", port: 53 },
    ],
  };
  const monitoring = {
    from: [{ namespaceSelector: { matchLabels: { "kubernetes.io/metadata.name": "monitoring" } } }],
    ports: tcp(admin as number),
  };
  const jaeger = { to: [{ podSelector: { matchLabels: labelOf("jaeger") } }], ports: tcp(...collector) };
  return [
    policy("closed-unless-said", {}, { ingress: [], egress: [] }),
    policy("names", partOf, { egress: [dns] }),
    policy(
      "edge",
      { "taskmesh/tier": "edge" },
      {
        ingress: [{ ports: tcp(edge as number) }, { from: [tier("app")], ports: tcp(mesh as number) }],
        egress: [{ to: [tier("app")], ports: tcp(...served) }, jaeger],
      },
    ),
    policy(
      "app",
      { "taskmesh/tier": "app" },
      {
        ingress: [{ from: [tier("edge")], ports: tcp(...served) }, monitoring],
        egress: [
          { to: [tier("edge")], ports: tcp(mesh as number) },
          { to: [tier("data")], ports: tcp(...stores) },
          jaeger,
          { to: [{ podSelector: { matchLabels: labelOf("mail") } }], ports: tcp(...mail) },
        ],
      },
    ),
    policy("data", { "taskmesh/tier": "data" }, { ingress: [{ from: [tier("app")], ports: tcp(...stores) }] }),
  ];
}
