import { publicPorts } from "../../cli/topology.ts";
import { after, check, confined, pageAnswers, partResources, supervised } from "./confinement.ts";
import { images, ourImage } from "./images.ts";
import { published } from "./parts.ts";
import { keyFiles, keysFolder, members, ports, type Servers, statisticsPort } from "./places.ts";

/** `docker compose --profile observability up`. */
const profiles = ["observability"];
const pagePort = { prometheus: 9090, grafana: 3000 };

/** The operator's page, which tells the parts' metrics too, and those who keep and show all metrics. */
export function observability(servers: Servers) {
  return {
    ops: {
      ...ourImage,
      profiles,
      command: ["node", "--max-old-space-size=128", "cli/ops/main.ts"],
      init: true,
      environment: {
        HOST: "0.0.0.0",
        OPS_PORT: String(publicPorts.ops.port),
        OPS_TOKEN_FILE: keyFiles.opsToken,
        // The name by which Prometheus asks.
        OPS_HOSTS: "ops",
        SERVICES: members.map((name) => `${name}:${ports.admin}`).join(","),
        KAFKA_BROKERS: "kafka:9092",
        REDIS_URL: "redis://redis:6379",
        ...(servers.monitored === undefined ? {} : { POSTGRES_URL_FILE: keyFiles.databaseUrl }),
        ENVOY_ADMIN_URL: `http://envoy:${statisticsPort}`,
        JAEGER_QUERY_URL: "http://jaeger:16686",
      },
      ...after(["setup", "envoy", "redis", "kafka"]),
      healthcheck: pageAnswers(publicPorts.ops.port, "/metrics"),
      volumes: [`keys-ops:${keysFolder}:ro`],
      ports: [published(publicPorts.ops.variable, publicPorts.ops.port)],
      networks: ["app", "data"],
      ...confined(["/tmp"]),
      ...supervised(partResources.small),
    },
    prometheus: {
      image: images.prometheus,
      profiles,
      command: [
        "--config.file=/etc/prometheus/prometheus.containers.yml",
        "--storage.tsdb.path=/prometheus",
        "--storage.tsdb.retention.time=15d",
        "--enable-feature=exemplar-storage",
      ],
      volumes: ["./observability/prometheus:/etc/prometheus:ro", "prometheus:/prometheus"],
      healthcheck: wgetAnswers(`http://127.0.0.1:${pagePort.prometheus}/-/ready`),
      ports: [published("PROMETHEUS_PORT", pagePort.prometheus)],
      networks: ["app"],
      ...confined(),
      ...supervised(partResources.prometheus),
    },
    grafana: {
      image: images.grafana,
      profiles,
      environment: {
        PROMETHEUS_URL: `http://prometheus:${pagePort.prometheus}`,
        JAEGER_URL: "http://jaeger:16686",
        GF_SECURITY_ADMIN_PASSWORD__FILE: keyFiles.grafanaPassword,
        GF_ANALYTICS_REPORTING_ENABLED: "false",
        GF_ANALYTICS_CHECK_FOR_UPDATES: "false",
      },
      volumes: [
        "./observability/grafana/provisioning:/etc/grafana/provisioning:ro",
        "./observability/grafana/dashboards:/etc/grafana/dashboards:ro",
        "grafana:/var/lib/grafana",
        `keys-grafana:${keysFolder}:ro`,
      ],
      ...after(["setup", "prometheus"]),
      healthcheck: wgetAnswers(`http://127.0.0.1:${pagePort.grafana}/api/health`),
      ports: [published("GRAFANA_PORT", pagePort.grafana)],
      networks: ["app"],
      ...confined(["/tmp"]),
      ...supervised(partResources.small),
    },
  };
}

export const observabilityVolumes = ["prometheus", "grafana"] as const;
/** Those of them who have secrets. */
export const observers = ["ops", "grafana"] as const;

function wgetAnswers(url: string) {
  return check("wget", "-q", "-O", "/dev/null", url);
}
