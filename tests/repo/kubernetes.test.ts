import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import { memberVariables, processes } from "../../cli/topology.ts";
import { groupNames, groups } from "../../consumers/groups.ts";
import { envoyOptions } from "../../deploy/compose/envoy.ts";
import { groupTopics } from "../../deploy/kubernetes/make/autoscaling.ts";
import { kubernetesFiles } from "../../deploy/kubernetes/make/files.ts";
import { replicas, workloadNames } from "../../deploy/kubernetes/make/sizes.ts";
import { renderEnvExample } from "./env-example.ts";
import {
  documentsOf,
  findIn,
  type Loose,
  labelsMatch,
  podOf,
  renderedOf,
  resourcesOf,
} from "./kubernetes-documents.ts";

const root = "deploy/kubernetes";
const base = resourcesOf(join(root, "base"));
const find = (kind: string, name: string, among = base): Loose => findIn(kind, name, among);
const hpaOf = (name: string) => find("HorizontalPodAutoscaler", name).spec;

describe("the Kubernetes files", () => {
  it.each(Object.entries(kubernetesFiles()))("have %s made (`npm run kubernetes` writes it)", (path, text) => {
    expect(readFileSync(path, "utf8")).toBe(text);
  });

  it.each(workloadNames)("tell %s all that it reads, and nothing that nobody reads", (name) => {
    const { env, envFrom } = podOf(find("Deployment", name)).containers[0];
    const shared = find("ConfigMap", envFrom[0].configMapRef.name).data;
    const told = [...env.map((variable: Loose) => variable.name), ...Object.keys(shared)];
    const row = processes[name];
    // A mesh of containers is not there to be broken.
    const wanted = [
      ...memberVariables,
      ...row.variables,
      ...Object.values(row.ports),
      row.database?.variable ?? [],
    ].flat();
    expect(told).toEqual(expect.arrayContaining(wanted.filter((variable) => variable !== "FAULTS_FILE")));
    const known = new Set(
      [...renderEnvExample().matchAll(/^(?:# )?([A-Z][A-Z0-9_]+)=/gm)].map(([, variable]) => variable),
    );
    expect(told.filter((variable) => !known.has(variable) && !memberVariables.includes(variable as never))).toEqual([]);
  });

  it("listen where Envoy calls them", () => {
    const { gatewayHttp, gatewayGrpc, services } = envoyOptions();
    const named = { ...services, gateway: [...gatewayHttp, ...gatewayGrpc] };
    for (const [name, endpoints] of Object.entries(named)) {
      const ports = find("Service", name).spec.ports.map(({ port }: Loose) => port);
      expect(find("Service", name).spec.clusterIP).toBe("None");
      for (const { host, port } of endpoints) expect([host, ports.includes(port)]).toEqual([name, true]);
    }
  });

  it.each(["base", "components/parts", "components/redis", "components/redis-cluster"])(
    "of %s fit together: selectors, ports, volumes, probes",
    (folder) => {
      const documents = resourcesOf(join(root, folder));
      const workloads = documents.filter(({ kind }) => ["Deployment", "StatefulSet"].includes(kind));
      const templates = workloads.map(({ spec }) => spec.template);
      for (const { spec } of workloads) {
        expect(labelsMatch(spec.selector.matchLabels, spec.template.metadata.labels)).toBe(true);
        const pod = spec.template.spec;
        const volumes = [
          ...(pod.volumes ?? []),
          ...(spec.volumeClaimTemplates ?? []).map(({ metadata }: Loose) => metadata),
        ];
        const names = volumes.map(({ name }: Loose) => name);
        for (const container of [...pod.containers, ...(pod.initContainers ?? [])]) {
          expect(container.resources).toMatchObject({
            requests: { cpu: expect.any(String) },
            limits: { memory: expect.any(String) },
          });
          expect(container.securityContext.allowPrivilegeEscalation).toBe(false);
          expect(names).toEqual(expect.arrayContaining((container.volumeMounts ?? []).map(({ name }: Loose) => name)));
          const ports = (container.ports ?? []).map(({ name }: Loose) => name);
          const probes = [container.startupProbe, container.livenessProbe, container.readinessProbe].filter(Boolean);
          const probed = probes.flatMap(({ httpGet, tcpSocket }: Loose) => (httpGet ?? tcpSocket)?.port ?? []);
          expect(ports).toEqual(expect.arrayContaining(probed));
        }
        expect(pod.securityContext.runAsNonRoot).toBe(true);
      }
      for (const { spec } of documents.filter(({ kind }) => kind === "Service")) {
        const behind = templates.find(({ metadata }) => labelsMatch(spec.selector, metadata.labels));
        const ports = behind.spec.containers.flatMap((container: Loose) =>
          container.ports.map(({ name }: Loose) => name),
        );
        expect(ports).toEqual(expect.arrayContaining(spec.ports.map(({ targetPort }: Loose) => targetPort)));
      }
      for (const { spec } of documents.filter(({ kind }) => kind === "PodDisruptionBudget")) {
        expect(templates.some(({ metadata }) => labelsMatch(spec.selector.matchLabels, metadata.labels))).toBe(true);
      }
    },
  );

  it.each(readdirSync(join(root, "overlays")))("patch in %s what there is", (overlay) => {
    const folder = join(root, "overlays", overlay);
    const { patches = [] } = parse(readFileSync(join(folder, "kustomization.yaml"), "utf8"));
    const documents = resourcesOf(folder);
    for (const { target, patch, path } of patches) {
      if (path !== undefined) {
        for (const { kind, metadata, data } of documentsOf(join(folder, path))) {
          expect(Object.keys(find(kind, metadata.name, documents).data)).toEqual(
            expect.arrayContaining(Object.keys(data)),
          );
        }
        continue;
      }
      const meant = documents.filter(
        ({ kind, metadata }) => kind === target.kind && new RegExp(`^(${target.name ?? ".*"})$`).test(metadata.name),
      );
      expect(meant.length).toBeGreaterThan(0);
      for (const { path: pointer } of parse(patch)) {
        for (const document of meant) {
          const found = pointer
            .slice(1)
            .split("/")
            .reduce((value: Loose, key: string) => value?.[key], document);
          expect([document.metadata.name, pointer, found !== undefined]).toEqual([
            document.metadata.name,
            pointer,
            true,
          ]);
        }
      }
    }
    expect(existsSync(join(folder, "namespace.yaml"))).toBe(true);
  });
});

describe("scaling in a cluster", () => {
  const sizesOf = (name: string) => podOf(find("Deployment", name)).containers[0].resources;
  it.each([
    ["gateway", "250m", "500m", 4, 20],
    ["auth", "200m", "400m", 2, 8],
  ] as const)(
    "gives %s %s to %s, 256Mi to 512Mi, %i to %i replicas at 70 and 80 % [004.04] [004.05]",
    (name, least, most, min, max) => {
      expect(sizesOf(name)).toEqual({
        requests: { cpu: least, memory: "256Mi" },
        limits: { cpu: most, memory: "512Mi" },
      });
      expect(hpaOf(name)).toMatchObject({ minReplicas: min, maxReplicas: max });
      expect(
        hpaOf(name).metrics.map(({ resource }: Loose) => [resource.name, resource.target.averageUtilization]),
      ).toEqual([
        ["cpu", 70],
        ["memory", 80],
      ]);
    },
  );

  it("lets every process grow as far as the heavy profile [000.05]", () => {
    const heavy = workloadNames.map((name) => [name, processes[name].replicas.heavy]);
    expect(Object.fromEntries(heavy)).toMatchObject({ user: 5, task: 8, notification: 3, consumers: 15 });
    for (const name of workloadNames.filter((one) => one !== "consumers")) {
      expect(hpaOf(name).maxReplicas).toBeGreaterThanOrEqual(processes[name].replicas.heavy);
      expect(hpaOf(name).minReplicas).toBe(replicas[name].min);
    }
    const { patches } = parse(readFileSync(join(root, "overlays/prod/kustomization.yaml"), "utf8"));
    const patch = parse(patches.find(({ target }: Loose) => target?.kind === "ScaledObject").patch);
    expect(patch.map(({ value }: Loose) => value)).toEqual([5, 15]);
  });

  it("has the consumers follow the lag of every group and topic: 100 each, 2 to 10 [003.15]", () => {
    const heard = groupNames.map((name) => [name, [...groups[name]({ urgent: {} } as never).topics]]);
    expect(Object.entries(groupTopics).map(([name, topics]) => [name, [...topics]])).toEqual(heard);
    const { spec } = find("ScaledObject", "consumers");
    expect(spec).toMatchObject({ minReplicaCount: 2, maxReplicaCount: 10, scaleTargetRef: { name: "consumers" } });
    expect(spec.triggers.map(({ metadata }: Loose) => [metadata.consumerGroup, metadata.topic])).toEqual(
      heard.flatMap(([name, topics]) => (topics as string[]).map((topic) => [name, topic])),
    );
    for (const { type, metadata } of spec.triggers) {
      expect(type).toBe("kafka");
      expect(metadata).toMatchObject({
        lagThreshold: "100",
        limitToPartitionsWithLag: "true",
        excludePersistentLag: "true",
      });
    }
  });
});

describe("what an overlay takes", () => {
  const units: Record<string, number> = { m: 1 / 1000, Mi: 2 ** 20, Gi: 2 ** 30, "": 1 };
  const amount = (text: string) => Number.parseFloat(text) * (units[text.replace(/^[\d.]+/, "")] ?? Number.NaN);

  it("in development is less than 5 GB and 2 CPUs for all services and parts together [003.09]", () => {
    const workloads = renderedOf(join(root, "overlays/dev")).filter(({ kind }) => /Deployment|StatefulSet/.test(kind));
    expect(workloads.map(({ metadata }) => metadata.name).sort()).toEqual(
      [...workloadNames, "envoy", "jaeger", "kafka", "mail", "postgres", "redis"].sort(),
    );
    // An autoscaler says how many of each there are; here it begins with one.
    for (const { spec } of renderedOf(join(root, "overlays/dev")).filter(({ kind }) => kind.includes("Autoscaler"))) {
      expect(spec.minReplicas).toBe(1);
    }
    const total = (of: "cpu" | "memory") =>
      workloads.reduce((sum, { spec }) => {
        const [container] = spec.template.spec.containers;
        return sum + (spec.replicas ?? 1) * amount(container.resources.requests[of]);
      }, 0);
    expect(total("cpu")).toBeLessThan(2);
    expect(total("memory")).toBeLessThan(5e9);
  });
});

describe("a cluster of Redis", () => {
  it("has six nodes of 250m and 512Mi to 1Gi, which speak to each other alone, and every process is told [004.07]", () => {
    const rendered = renderedOf(join(root, "overlays/self-hosted"));
    expect(find("Deployment", "redis", rendered)).toBeUndefined();
    const { spec } = find("StatefulSet", "redis-cluster", rendered);
    const [node] = spec.template.spec.containers;
    expect(spec.replicas).toBe(6);
    expect(node.resources).toEqual({
      requests: { cpu: "250m", memory: "512Mi" },
      limits: { cpu: "250m", memory: "1Gi" },
    });
    expect(node.args.join(" ")).toMatch(/^--cluster-enabled yes .*--cluster-node-timeout 5000/);
    expect(node.ports.map(({ containerPort }: Loose) => containerPort)).toEqual([6379, 16_379]);
    const { data } = find("ConfigMap", "taskmesh", rendered);
    const url = new URL(data.REDIS_URL);
    expect(url.searchParams.get("cluster")).toBe("true");
    const { spec: service } = find("Service", url.hostname, rendered);
    expect([service.clusterIP, labelsMatch(service.selector, spec.template.metadata.labels)]).toEqual(["None", true]);
    const [{ from: peers }] = find("NetworkPolicy", "redis-cluster", rendered).spec.ingress;
    expect(peers.map(({ podSelector }: Loose) => podSelector.matchLabels["app.kubernetes.io/name"])).toEqual([
      "redis-cluster",
      "redis-cluster-join",
    ]);
    const [joining] = find("Job", "redis-cluster-join", rendered).spec.template.spec.containers;
    expect(joining.command.at(-1)).toContain("--cluster-replicas 1");
  });
});

describe("what tells of trouble and what grows by itself", () => {
  const { groups } = parse(readFileSync("observability/prometheus/rules/alerts.yml", "utf8")) as Loose;
  const alert = (name: string): string =>
    groups.flatMap(({ rules }: Loose) => rules).find((rule: Loose) => rule.alert === name).expr;

  it("go by CPU 70 %, memory 80 %, 500 ms and 1 % of errors, between 4 and 20 gateways [004.17]", () => {
    expect(hpaOf("gateway")).toMatchObject({ minReplicas: 4, maxReplicas: 20 });
    for (const { spec } of base.filter(({ kind }) => kind === "HorizontalPodAutoscaler")) {
      expect(spec.metrics.map(({ resource }: Loose) => [resource.name, resource.target.averageUtilization])).toEqual([
        ["cpu", 70],
        ["memory", 80],
      ]);
    }
    expect(alert("ProcessCpuHigh")).toMatch(/> 0\.7$/);
    expect(alert("ProcessMemoryHigh")).toMatch(/> 0\.8$/);
    expect(alert("ResponseAbove500ms")).toMatch(/> 0\.5$/);
    expect(alert("ErrorsAboveOnePercent")).toMatch(/> 0\.01$/);
  });

  it("are health checks of everything, logs that are kept, volumes of what must last, the limit of the database's connections, and autoscalers [000.13]", () => {
    const { services, volumes } = parse(readFileSync("docker-compose.yml", "utf8"), { version: "1.1" });
    for (const [name, service] of Object.entries<Loose>(services)) {
      if (name !== "setup") expect([name, service.healthcheck?.test.length > 1]).toEqual([name, true]);
      expect([name, service.logging]).toEqual([
        name,
        { driver: "json-file", options: { "max-size": "16m", "max-file": "2" } },
      ]);
    }
    for (const name of ["postgres", "redis", "kafka", "mail"]) {
      expect(services[name].volumes.filter((volume: string) => volume.startsWith(`${name}:/`))).toHaveLength(1);
      expect(volumes).toHaveProperty(name);
    }
    const parts = resourcesOf(join(root, "components/parts"));
    for (const name of ["postgres", "kafka"]) {
      expect(find("StatefulSet", name, parts).spec.volumeClaimTemplates).toHaveLength(1);
    }
    for (const name of workloadNames) {
      const [container] = podOf(find("Deployment", name)).containers;
      expect([container.livenessProbe.httpGet.path, container.readinessProbe.httpGet.path]).toEqual([
        "/live",
        "/ready",
      ]);
      const kind = name === "consumers" ? "ScaledObject" : "HorizontalPodAutoscaler";
      expect(find(kind, name).spec.scaleTargetRef.name).toBe(name);
    }
    expect(alert("ConnectionsNearLimit")).toBe("sum(pg_stat_activity_count) / max(pg_settings_max_connections) > 0.8");
  });
});

describe("the way from outside is public, edge, app, data, each tier behind the one before it [003.17]", () => {
  const policies: Loose[] = base.filter(({ kind }) => kind === "NetworkPolicy");
  const from = (name: string) =>
    find("NetworkPolicy", name).spec.ingress.map(({ from: peers }: Loose) =>
      peers === undefined
        ? "anybody"
        : peers
            .map((peer: Loose) => Object.values(peer.podSelector?.matchLabels ?? peer.namespaceSelector.matchLabels)[0])
            .join(),
    );

  it("in Kubernetes, where whatever is not said is closed", () => {
    expect(find("NetworkPolicy", "closed-unless-said").spec).toEqual({
      podSelector: { matchLabels: {} },
      policyTypes: ["Ingress", "Egress"],
      ingress: [],
      egress: [],
    });
    expect(from("edge")).toEqual(["anybody", "app"]);
    expect(from("app")).toEqual(["edge", "monitoring"]);
    expect(from("data")).toEqual(["app"]);
    expect(policies.filter(({ spec }) => spec.ingress?.some((rule: Loose) => rule.from === undefined))).toHaveLength(1);
    const tier = (name: string) => find("Deployment", name).spec.template.metadata.labels["taskmesh/tier"];
    expect([tier("envoy"), ...workloadNames.map(tier)]).toEqual(["edge", ...workloadNames.map(() => "app")]);
    const parts = ["parts", "redis", "redis-cluster"].flatMap((name) => resourcesOf(join(root, "components", name)));
    for (const [kind, name] of [
      ["StatefulSet", "redis-cluster"],
      ["StatefulSet", "postgres"],
      ["Deployment", "redis"],
      ["StatefulSet", "kafka"],
    ] as const) {
      expect(find(kind, name, parts).spec.template.metadata.labels["taskmesh/tier"]).toBe("data");
    }
  });

  it("in containers, where they find each other by name, only the proxy is for outside, and the data network leads nowhere [000.10]", () => {
    const { services, networks } = parse(readFileSync("docker-compose.yml", "utf8"));
    expect(networks.data.internal).toBe(true);
    for (const name of ["postgres", "redis", "kafka"]) expect(services[name].networks).toEqual(["data"]);
    expect(services.envoy.networks).toEqual(["edge", "app"]);
    for (const name of workloadNames) expect(services[name].networks).toEqual(["app", "data"]);
    // Others open nothing but pages for the operator, on the machine itself.
    const open = Object.entries<Loose>(services).filter(([, { ports = [] }]) =>
      ports.some((published: string) => !published.startsWith("127.0.0.1:")),
    );
    expect(open.map(([name]) => name)).toEqual(["envoy"]);
    for (const name of workloadNames) expect(services[name].environment.MESH_ADDRESS).toMatch(/^envoy:/);
  });

  it("in production begins with TLS, and is closed to everything else [002.19]", () => {
    const rendered = renderedOf(join(root, "overlays/prod"));
    const pod = podOf(find("Deployment", "envoy", rendered));
    const [envoy] = pod.containers;
    const { edgeTlsPort, tls } = envoyOptions({ tls: true });
    expect(pod.initContainers[0].env).toEqual([{ name: "EDGE_TLS", value: "true" }]);
    expect(envoy.ports).toContainEqual({ name: "edge", containerPort: edgeTlsPort });
    const [{ mountPath }] = envoy.volumeMounts.filter(({ name }: Loose) => name === "certificate");
    const { secret } = pod.volumes.find(({ name }: Loose) => name === "certificate");
    const files = secret.items.map(({ key, path }: Loose) => [key, `${mountPath}/${path}`]);
    expect(files).toEqual([
      ["tls.crt", tls?.certFile],
      ["tls.key", tls?.keyFile],
    ]);
    const { spec } = find("Service", "edge", rendered);
    expect(spec).toMatchObject({ type: "LoadBalancer", ports: [{ port: 443, targetPort: "edge" }] });
    const [fromOutside] = find("NetworkPolicy", "edge", rendered).spec.ingress;
    expect(fromOutside).toEqual({ ports: [{ protocol: "TCP", port: edgeTlsPort }] });
    const open = rendered.filter(
      ({ kind, spec: own }) => kind === "NetworkPolicy" && own.ingress?.some((rule: Loose) => rule.from === undefined),
    );
    expect(open.map(({ metadata }) => metadata.name)).toEqual(["edge"]);
    expect(find("NetworkPolicy", "closed-unless-said", rendered).spec).toMatchObject({ ingress: [], egress: [] });
  });
});
