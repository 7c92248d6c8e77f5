import { memberVariables, nodeArguments, type ProcessRow, processes } from "../../../cli/topology.ts";
import { envoyOptions } from "../../compose/envoy.ts";
import { type Resources, resources, type WorkloadName } from "./sizes.ts";

const { gatewayHttp, gatewayGrpc, services, edgePort, meshPort } = envoyOptions();

/** Ports inside the containers: those that Envoy's clusters name, and the page of probes and metrics. */
export const containerPorts: Readonly<Record<string, number>> = {
  grpc: services.task[0]?.port as number,
  gatewayHttp: gatewayHttp[0]?.port as number,
  gatewayGrpc: gatewayGrpc[0]?.port as number,
  admin: 9464,
  edge: edgePort,
  mesh: meshPort,
};

const image = "taskmesh";
export const partOf = { "app.kubernetes.io/part-of": "taskmesh" };
export const labelOf = (name: string) => ({ "app.kubernetes.io/name": name });

const locked = {
  allowPrivilegeEscalation: false,
  readOnlyRootFilesystem: true,
  capabilities: { drop: ["ALL"] },
};
const podSecurity = { runAsNonRoot: true, runAsUser: 1000, fsGroup: 1000, seccompProfile: { type: "RuntimeDefault" } };

/** The port of a process by its name in the topology. */
function portOf(name: WorkloadName, port: string): number {
  const key = name === "gateway" && port !== "admin" ? `gateway${port === "http" ? "Http" : "Grpc"}` : port;
  return containerPorts[key] as number;
}

/** The Deployment of a process, out of its row in the topology. */
export function deployment(name: WorkloadName) {
  const row = processes[name];
  return workload(name, "app", {
    container: {
      name,
      image,
      command: ["node", ...nodeArguments(row)],
      ports: Object.keys(row.ports).map((port) => ({ name: port, containerPort: portOf(name, port) })),
      envFrom: [{ configMapRef: { name: "taskmesh" } }],
      env: environmentOf(name, row),
      ...probes,
      resources: resources[name],
      volumeMounts: [
        { name: "keys", mountPath: "/keys", readOnly: true },
        { name: "scratch", mountPath: "/tmp" },
      ],
    },
    volumes: [keyVolume(name, row), { name: "scratch", emptyDir: {} }],
  });
}

const probe = (path: string, more: object) => ({ httpGet: { path, port: "admin" }, timeoutSeconds: 2, ...more });
const probes = {
  // A database that is still starting is waited for; the process itself gives up after 30 s.
  startupProbe: probe("/live", { periodSeconds: 1, failureThreshold: 60 }),
  livenessProbe: probe("/live", { periodSeconds: 10, failureThreshold: 3 }),
  readinessProbe: probe("/ready", { periodSeconds: 2, failureThreshold: 1 }),
};

function environmentOf(name: WorkloadName, row: ProcessRow): object[] {
  const values: Record<string, string> = {
    SERVICE_NAME: name,
    HOST: "0.0.0.0",
    MESH_IDENTITY_KEY_FILE: `/keys/${name}.jwk.json`,
    MESH_IDENTITY_JWKS_FILE: "/keys/services.jwks.json",
    AUTH_KEY_SECRET_FILE: "/keys/auth-key-secret",
    PUSH_VAPID_KEY_FILE: "/keys/push-vapid-keys.json",
    WEBHOOK_KEY_SECRET_FILE: "/keys/webhook-key-secret",
  };
  for (const [port, variable] of Object.entries(row.ports)) values[variable] = String(portOf(name, port));
  const told = [...memberVariables, ...row.variables, ...Object.values(row.ports)].filter((key) => key in values);
  const database = row.database?.variable;
  return [
    ...told.map((key) => ({ name: key, value: values[key] })),
    { name: "SERVICE_INSTANCE_ID", valueFrom: { fieldRef: { fieldPath: "metadata.name" } } },
    ...(database === undefined
      ? []
      : [{ name: database, valueFrom: { secretKeyRef: { name: "taskmesh-databases", key: database } } }]),
  ];
}

/** Each process sees its own private key and nobody else's. */
function keyVolume(name: WorkloadName, row: ProcessRow) {
  const files = [`${name}.jwk.json`, "services.jwks.json"];
  if (row.variables.includes("AUTH_KEY_SECRET_FILE")) files.push("auth-key-secret");
  if (row.variables.includes("PUSH_VAPID_KEY_FILE")) files.push("push-vapid-keys.json");
  if (row.variables.includes("WEBHOOK_KEY_SECRET_FILE")) files.push("webhook-key-secret");
  const items = files.map((file) => ({ key: file, path: file }));
  return { name: "keys", secret: { secretName: "taskmesh-keys", defaultMode: 0o440, items } };
}

/** What all processes are told alike; overlays change the addresses. */
export const sharedVariables: Readonly<Record<string, string>> = {
  MESH_ADDRESS: `envoy:${meshPort}`,
  REDIS_URL: "redis://redis:6379",
  KAFKA_BROKERS: "kafka:9092",
  KAFKA_PARTITIONS: "12",
  OTEL_EXPORTER_OTLP_ENDPOINT: "http://jaeger:4318",
  PUBLIC_URL: "http://localhost:8080",
  SMTP_URL: "smtp://mail:1025",
  MAIL_FROM: "Taskmesh <taskmesh@localhost>",
  PUSH_SUBJECT: "",
  ETAG_MODE: "advisory",
  RATE_LIMIT_PRESET: "standard",
  RATE_LIMIT_SCALE: "1",
  OVERLOAD_SHED: "true",
  OVERLOAD_LOOP_DELAY: "0.03",
  OVERLOAD_MIN_CALLS: "32",
  OVERLOAD_MAX_CALLS: "1000",
  LB_POLICY: "least_request",
};

/** Envoy at both borders; its configuration is made by our image before it starts. */
export function envoyDeployment() {
  const volumeMounts = [{ name: "configuration", mountPath: "/envoy" }];
  return workload("envoy", "edge", {
    replicas: 2,
    initContainers: [
      {
        name: "configure",
        image,
        command: ["node", "deploy/kubernetes/make/envoy-files.ts"],
        envFrom: [{ configMapRef: { name: "taskmesh" } }],
        resources: resources.mail,
        securityContext: locked,
        volumeMounts,
      },
    ],
    container: {
      name: "envoy",
      image: "envoyproxy/envoy:v1.40.0",
      command: ["envoy", "-c", "/envoy/envoy.yaml", "--concurrency", "2"],
      ports: [
        { name: "edge", containerPort: edgePort },
        { name: "mesh", containerPort: meshPort },
      ],
      readinessProbe: { tcpSocket: { port: "edge" }, periodSeconds: 2, failureThreshold: 1 },
      livenessProbe: { tcpSocket: { port: "mesh" }, periodSeconds: 10, failureThreshold: 3 },
      resources: resources.envoy,
      volumeMounts: [
        { name: "configuration", mountPath: "/envoy", readOnly: true },
        { name: "scratch", mountPath: "/tmp" },
      ],
    },
    volumes: [
      { name: "configuration", emptyDir: {} },
      { name: "scratch", emptyDir: {} },
    ],
  });
}

interface PodParts {
  /** Left out where an autoscaler decides, or each deployment would undo what it did. */
  replicas?: number;
  container: Record<string, unknown> & { resources: Resources };
  initContainers?: object[];
  volumes: object[];
}

function workload(
  name: string,
  tier: "edge" | "app",
  { replicas: count, container, initContainers, volumes }: PodParts,
) {
  return {
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: { name, labels: labelOf(name) },
    spec: {
      ...(count && { replicas: count }),
      selector: { matchLabels: labelOf(name) },
      strategy: { type: "RollingUpdate", rollingUpdate: { maxSurge: 1, maxUnavailable: 0 } },
      template: {
        metadata: { labels: { ...labelOf(name), ...partOf, "taskmesh/tier": tier } },
        spec: {
          automountServiceAccountToken: false,
          enableServiceLinks: false,
          // Stopping takes two looks of Envoy's health check, then at most 10 s of draining.
          terminationGracePeriodSeconds: 45,
          securityContext: podSecurity,
          ...(initContainers && { initContainers }),
          containers: [{ ...container, securityContext: locked }],
          volumes,
        },
      },
    },
  };
}

/** Without an address of its own, so that its name says every ready pod: Envoy balances between these. */
export function headlessService(name: WorkloadName) {
  return {
    apiVersion: "v1",
    kind: "Service",
    metadata: { name, labels: labelOf(name) },
    spec: {
      clusterIP: "None",
      selector: labelOf(name),
      ports: Object.keys(processes[name].ports).map((port) => ({
        name: port,
        port: portOf(name, port),
        targetPort: port,
      })),
    },
  };
}

export function envoyServices() {
  const service = (name: string, type: string, ports: object[]) => ({
    apiVersion: "v1",
    kind: "Service",
    metadata: { name, labels: labelOf("envoy") },
    spec: { type, selector: labelOf("envoy"), ports },
  });
  return [
    service("envoy", "ClusterIP", [{ name: "mesh", port: meshPort, targetPort: "mesh" }]),
    service("edge", "LoadBalancer", [{ name: "http", port: 80, targetPort: "edge" }]),
  ];
}

/** Of voluntary disruptions, at most one pod of a kind at a time. */
export function disruptionBudget(name: string) {
  return {
    apiVersion: "policy/v1",
    kind: "PodDisruptionBudget",
    metadata: { name },
    spec: { maxUnavailable: 1, selector: { matchLabels: labelOf(name) } },
  };
}
