import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import { databases, processes, processNames } from "../../cli/topology.ts";
import { envoyOptions } from "../../deploy/compose/envoy.ts";
import { images } from "../../deploy/compose/images.ts";
import { observers } from "../../deploy/compose/observability.ts";
import { members, oneServer, serverPerDatabase } from "../../deploy/compose/places.ts";
import { replicaServers } from "../../deploy/compose/replicas.ts";
import { handOutKeys } from "../../deploy/keys.ts";
import parts from "../../deploy/parts/versions.json" with { type: "json" };
import packageFile from "../../package.json" with { type: "json" };
import { schemas } from "./env-example.ts";

interface Service {
  image: string;
  build?: object;
  user?: string;
  command?: string[];
  container_name?: string;
  environment?: Record<string, string | null>;
  healthcheck?: object;
  depends_on?: Record<string, { condition: string }>;
  networks?: string[];
  network_mode?: string;
  ports?: string[];
  profiles?: string[];
  volumes?: string[];
  tmpfs?: string[];
  read_only?: boolean;
  cap_drop?: string[];
  security_opt?: string[];
  deploy?: {
    replicas?: string;
    resources: { limits: { cpus: string; memory: string }; reservations: { cpus: string; memory: string } };
    restart_policy: { condition: string };
  };
  restart?: string;
}
interface Composition {
  services: Record<string, Service>;
  networks: Record<string, { internal?: boolean; driver?: string }>;
  volumes: Record<string, object>;
}

const read = (path: string): Composition => parse(readFileSync(path, "utf8"), { version: "1.1" });
const whole = ["docker-compose.yml", "docker-compose.isolated.yml"] as const;
const compositions = whole.map((path) => ({ path, ...read(path) }));
const everyService = compositions.flatMap(({ path, services }) =>
  Object.entries(services).map(([name, service]) => ({ path, name, service })),
);
const standard = read("docker-compose.yml");
const databaseServers = ["postgres", ...databases.map((name) => `postgres-${name}`)];

describe("every container", () => {
  it.each(everyService)("$name of $path is limited, confined, and starts again after a fault", ({ name, service }) => {
    const { limits, reservations } = service.deploy?.resources ?? {};
    expect(Number(limits?.cpus)).toBeGreaterThan(0);
    expect(limits?.memory).toMatch(/^\d+[MG]$/);
    expect(Number(reservations?.cpus)).toBeLessThanOrEqual(Number(limits?.cpus));
    expect(service.deploy?.restart_policy.condition).toBe("on-failure");
    expect(service.restart).toBe("on-failure");
    expect(service.cap_drop).toEqual(["ALL"]);
    expect(service.security_opt).toEqual(["no-new-privileges:true"]);
    // Kafka's start writes its configuration into the image.
    expect(service.read_only ?? false).toBe(name !== "kafka");
  });

  it.each(everyService.filter(({ name }) => name !== "setup"))("$name of $path has a health check", ({ service }) => {
    expect(service.healthcheck).toMatchObject({ test: expect.arrayContaining(["CMD"]), retries: expect.any(Number) });
  });

  it.each(everyService)("$name of $path waits until what it needs is healthy", ({ name, service }) => {
    for (const [other, { condition }] of Object.entries(service.depends_on ?? {})) {
      expect(condition).toBe(other === "setup" ? "service_completed_successfully" : "service_healthy");
    }
    if (members.some((member) => member === name)) {
      expect(Object.keys(service.depends_on ?? {})).toEqual(expect.arrayContaining(["setup", "redis", "envoy"]));
    }
  });

  it.each(everyService)("$name of $path comes from an image of one release", ({ service }) => {
    if (service.build === undefined) expect(service.image).toMatch(/:v?\d+\.\d+\.\d+|:\d+\.\d+-/);
    else expect(service.image).toBe("taskmesh:${TASKMESH_TAG:-local}");
    expect(service.image).not.toMatch(/latest/);
  });

  it.each(everyService)("$name of $path can be scaled: no name or port of its own", ({ name, service }) => {
    expect(service.container_name).toBeUndefined();
    if (members.some((member) => member === name)) expect(service.ports).toBeUndefined();
  });
});

describe("the seeds' limits", () => {
  const resourcesOf = (name: string) => standard.services[name]?.deploy?.resources;

  it.each(members)("[002.03] gives %s 1.0 CPU and 512M, reserves 0.5 and 256M, and restarts it on failure", (name) => {
    expect(resourcesOf(name)).toEqual({
      limits: { cpus: "1.0", memory: "512M" },
      reservations: { cpus: "0.5", memory: "256M" },
    });
  });

  it("[002.03] runs three of the task service with the profile medium", () => {
    expect(standard.services.task?.deploy?.replicas).toBe("${TASK_REPLICAS:-1}");
    expect(readFileSync("deploy/compose/medium.env", "utf8")).toContain("\nTASK_REPLICAS=3\n");
  });

  it("gives PostgreSQL 0.5 CPU and 1G, and Redis 0.25 CPU and 512M", () => {
    expect(resourcesOf("postgres")).toEqual({
      limits: { cpus: "0.5", memory: "1G" },
      reservations: { cpus: "0.25", memory: "512M" },
    });
    expect(resourcesOf("redis")?.limits).toEqual({ cpus: "0.25", memory: "512M" });
  });
});

describe("networks", () => {
  it("[000.10] are three: the edge, where only Envoy is; that of the services; and that of the data, which has no way out", () => {
    expect(standard.networks).toEqual({ edge: {}, app: {}, data: { internal: true } });
    const on = (network: string) =>
      Object.keys(standard.services).filter((name) => standard.services[name]?.networks?.includes(network));
    expect(on("edge")).toEqual(["envoy"]);
    expect(on("data").sort()).toEqual(["kafka", "ops", "postgres", "redis", ...members].sort());
    for (const part of ["postgres", "redis", "kafka"]) expect(standard.services[part]?.networks).toEqual(["data"]);
    expect(standard.services.setup?.network_mode).toBe("none");
  });

  it("publish the edge and the pages for people on loopback, and only the edge elsewhere when EDGE_BIND says so", () => {
    for (const { services } of compositions) {
      const ports = Object.fromEntries(
        Object.entries(services).flatMap(([name, { ports }]) => (ports ? [[name, ports]] : [])),
      );
      expect(ports).toEqual({
        envoy: ["${EDGE_BIND:-127.0.0.1}:${EDGE_PORT:-8080}:8080"],
        jaeger: ["127.0.0.1:${JAEGER_PORT:-16686}:16686"],
        mail: ["127.0.0.1:${MAIL_UI_PORT:-1080}:1080"],
        // With the profile "observability" only.
        ops: ["127.0.0.1:${OPS_PORT:-9902}:9902"],
        prometheus: ["127.0.0.1:${PROMETHEUS_PORT:-9090}:9090"],
        grafana: ["127.0.0.1:${GRAFANA_PORT:-3000}:3000"],
      });
    }
  });
});

/** The files of a member. */
function secretsOf(name: (typeof members)[number]): string[] {
  const sends = name === "notification" || name === "consumers";
  return [
    ...(name === "auth" ? ["auth-key-secret"] : []),
    ...(processes[name].database ? ["database-url"] : []),
    "identity.jwk.json",
    ...(sends ? ["push-vapid-keys.json"] : []),
    "services.jwks.json",
    ...(sends ? ["webhook-key-secret"] : []),
  ];
}

describe("secrets", () => {
  it("are not in a file of the repository", () => {
    for (const path of [
      ...whole,
      "docker-compose.dev.yml",
      "docker-compose.tls.yml",
      "docker-compose.swarm.yml",
      "docker-compose.replicas.yml",
    ]) {
      expect(readFileSync(path, "utf8")).not.toMatch(/postgres:\/\/|PASSWORD(__FILE)?: (?!\/)|SECRET: |BEGIN .*KEY/);
    }
  });

  it.each(everyService)("$name of $path has the volume of its own keys and of nobody else's", ({ name, service }) => {
    const keyVolumes = (service.volumes ?? []).filter((volume) => volume.startsWith("keys"));
    if (name === "setup") return;
    const hasSecrets = [...members, ...observers, ...databaseServers].some((owner) => owner === name);
    expect(keyVolumes).toEqual(hasSecrets ? [`keys-${name}:/keys:ro`] : []);
  });

  it.each([
    ["one server", oneServer, ["postgres"]],
    ["a server for each database", serverPerDatabase, databases.map((name) => `postgres-${name}`)],
  ] as const)("are handed out so that each owner has his own, with %s", (_, servers, names) => {
    const root = mkdtempSync(join(tmpdir(), "keys-"));
    for (const folder of ["mesh", ...members, ...observers, ...names]) mkdirSync(join(root, folder));
    handOutKeys(servers, root);
    const text = (...path: string[]) => readFileSync(join(root, ...path), "utf8");
    const first = text("mesh", "database-task");
    handOutKeys(servers, root);
    expect(text("mesh", "database-task")).toBe(first);
    for (const name of members) {
      const { database } = processes[name];
      expect(readdirSync(join(root, name)).sort()).toEqual(secretsOf(name));
      expect(JSON.parse(text(name, "identity.jwk.json"))).toMatchObject({ kid: name, d: expect.any(String) });
      for (const key of JSON.parse(text(name, "services.jwks.json")).keys) expect(key).not.toHaveProperty("d");
      if (database) {
        const password = text(servers.of(database.name), database.name);
        const host = servers.of(database.name);
        expect(text(name, "database-url")).toBe(
          `postgres://${database.name}:${password}@${host}:5432/${database.name}`,
        );
      }
    }
    const passwords = databases.map((name) => text(servers.of(name), name));
    expect(new Set(passwords).size).toBe(databases.length);
  });

  it("[000.12] come by variables and files, services know each other by keys, and TLS ends at Envoy", () => {
    for (const name of members) {
      expect(standard.services[name]?.environment).toMatchObject({
        MESH_IDENTITY_KEY_FILE: "/keys/identity.jwk.json",
        MESH_IDENTITY_JWKS_FILE: "/keys/services.jwks.json",
      });
    }
    expect(standard.services.consumers?.environment).toMatchObject({
      NOTIFICATION_DB_URL_FILE: "/keys/database-url",
      SMTP_URL: "${SMTP_URL:-smtp://mail:1025}",
    });
    const { envoy, setup } = read("docker-compose.tls.yml").services;
    expect(envoy?.ports).toEqual(["${EDGE_TLS_BIND:-127.0.0.1}:${EDGE_TLS_PORT:-8443}:8443"]);
    expect(setup?.environment).toEqual({ EDGE_TLS: "true" });
    const { certFile, keyFile } = envoyOptions({ tls: true }).tls ?? {};
    expect(envoy?.volumes?.map((volume) => volume.split(":").at(-2))).toEqual([certFile, keyFile]);
    expect(envoyOptions().tls).toBeUndefined();
  });

  it("find their folders in the image, which gives the volumes their owner", () => {
    const dockerfile = readFileSync("deploy/Dockerfile", "utf8");
    const folders = compositions.flatMap(({ services }) =>
      (services.setup?.volumes ?? []).map((volume) => volume.split(":")[1] as string),
    );
    for (const folder of [...folders, "/mail"]) expect(dockerfile).toMatch(new RegExp(`[ ]${folder}(\\s|$)`, "m"));
  });
});

describe("Prometheus", () => {
  it("asks the operator's page by the name that it answers to, and not by its address", () => {
    const { scrape_configs } = parse(readFileSync("observability/prometheus/prometheus.containers.yml", "utf8"));
    const { dns_sd_configs, relabel_configs } = scrape_configs.find(
      (job: { job_name: string }) => job.job_name === "parts",
    );
    const { OPS_HOSTS, OPS_PORT } = standard.services.ops?.environment ?? {};
    expect(dns_sd_configs).toMatchObject([{ names: [OPS_HOSTS], port: Number(OPS_PORT) }]);
    expect(relabel_configs).toContainEqual({
      source_labels: ["__meta_dns_name"],
      target_label: "__address__",
      replacement: `$1:${OPS_PORT}`,
    });
  });
});

describe("variables", () => {
  it.each(processNames)("of %s are told, or taken from the environment of whoever brings it up", (name) => {
    const environment = standard.services[name]?.environment ?? {};
    const everybodys = name === "mail" ? {} : schemas["every process"];
    const read = Object.values({ ...everybodys, ...schemas[name] }).map(({ variable }) => variable);
    // Paths inside a container and addresses of databases are not for others to say, nor who a container is.
    const open = read.filter((variable) => !/_FILE$|_DB_(\w+_)?URL$|^SERVICE_INSTANCE_ID$/.test(variable));
    expect(Object.keys(environment)).toEqual(expect.arrayContaining(open));
    for (const variable of Object.keys(environment).filter((one) => environment[one] === null))
      expect(open).toContain(variable);
  });
});

describe("read replicas", () => {
  const { services, volumes } = read("docker-compose.replicas.yml");

  it("are two that follow the server, each with its own volume, and answer for auth and for the others", () => {
    for (const name of replicaServers) {
      expect(services[name]?.networks).toEqual(["data"]);
      expect(services[name]?.ports).toBeUndefined();
      expect(services[name]?.read_only).toBe(true);
      expect(services[name]?.volumes).toEqual(
        expect.arrayContaining([`${name}:/var/lib/postgresql`, "keys-postgres-replica:/keys:ro"]),
      );
      expect(volumes).toHaveProperty(name);
      expect(services[name]?.command).toContain("max_connections=400");
    }
    expect(standard.services.postgres?.command).toContain("max_connections=400");
    expect(services.auth?.environment).toEqual({ DATABASE_READ_HOST: "postgres-replica-1" });
    for (const name of ["user", "task", "notification"])
      expect(services[name]?.environment).toEqual({ DATABASE_READ_HOST: "postgres-replica-2" });
    expect(services).not.toHaveProperty("consumers");
  });

  it("know the password by which they follow, and no other", () => {
    const root = mkdtempSync(join(tmpdir(), "keys-"));
    for (const folder of ["mesh", ...members, ...observers, "postgres", "postgres-replica"])
      mkdirSync(join(root, folder));
    handOutKeys(oneServer, root);
    expect(readdirSync(join(root, "postgres-replica"))).toEqual(["replication"]);
    const text = (owner: string) => readFileSync(join(root, owner, "replication"), "utf8");
    expect(text("postgres-replica")).toBe(text("postgres"));
  });
});

describe("a PostgreSQL for each service", () => {
  it("[003.04] has one server, limit, volume and set of passwords for each database", () => {
    const { services, volumes, networks } = read("docker-compose.isolated.yml");
    const servers = Object.keys(services).filter((name) => name.startsWith("postgres"));
    expect(servers.sort()).toEqual(databases.map((name) => `postgres-${name}`).sort());
    for (const database of databases) {
      const name = `postgres-${database}`;
      const server = services[name] as Service;
      expect(server.environment?.DATABASES).toBe(database);
      expect(server.deploy?.resources).toEqual({
        limits: { cpus: "0.5", memory: "1G" },
        reservations: { cpus: "0.25", memory: "512M" },
      });
      expect(server.volumes).toEqual(expect.arrayContaining([`${name}:/var/lib/postgresql`, `keys-${name}:/keys:ro`]));
      expect(volumes).toHaveProperty(name);
      const users = processNames.filter((user) => processes[user].database?.name === database);
      for (const user of users) expect(services[user]?.depends_on).toHaveProperty(name);
      const network = `data-${database}`;
      expect(networks[network]).toEqual({ internal: true });
      const there = Object.keys(services).filter((other) => services[other]?.networks?.includes(network));
      expect(there.sort()).toEqual([name, ...users].sort());
    }
  });
});

describe("images", () => {
  const tagged = (image: string) => image.split(":")[1] ?? "";

  it("[001.11] are the releases that run natively, and ours is built in stages for an unprivileged account", () => {
    const dockerfile = readFileSync("deploy/Dockerfile", "utf8");
    expect(dockerfile).toContain(`ARG NODE_IMAGE=${images.node}\n`);
    expect(tagged(images.node)).toMatch(new RegExp(`^${packageFile.devDependencies.node}-`));
    expect(tagged(images.envoy)).toBe(`v${parts.envoy.fetched}`);
    expect(tagged(images.kafka)).toBe(parts.kafka.fetched);
    expect(tagged(images.postgres)).toMatch(new RegExp(`^${parts.postgres.fetched.split(".").slice(0, 2).join(".")}-`));
    expect(dockerfile.match(/^FROM /gm)).toHaveLength(2);
    expect(dockerfile).toMatch(/^USER node$/m);
    expect(dockerfile).toMatch(/npm ci/);
    expect(dockerfile).toMatch(/npm prune --omit=dev/);
  });
});

describe("overlays", () => {
  it("for development mounts the checkout, publishes on loopback, and lets members be scaled", () => {
    const { services, networks } = read("docker-compose.dev.yml");
    expect(Object.keys(services).every((name) => name in standard.services)).toBe(true);
    for (const name of members) {
      const [folder = ""] = processes[name].entry.split("/");
      expect(services[name]?.volumes).toContain(`./${folder}:/app/${folder}:ro`);
      expect(services[name]?.ports).toEqual(["127.0.0.1::9464"]);
    }
    for (const { ports = [] } of Object.values(services))
      for (const port of ports) expect(port).toMatch(/^127\.0\.0\.1:/);
    expect(networks.data?.internal).toBe(false);
  });

  it("[004.16] for Docker Swarm has the same deploy keys, and nothing that a stack refuses", () => {
    const stack = read("docker-compose.swarm.yml") as Composition & { version: string };
    expect(stack.version).toBe("3.9");
    expect(existsSync("deploy/kubernetes/base/kustomization.yaml")).toBe(true);
    const lasting = Object.keys(standard.services).filter((name) => !standard.services[name]?.profiles);
    expect(Object.keys(stack.services)).toEqual(lasting);
    for (const [name, service] of Object.entries(stack.services)) {
      expect(service.deploy).toMatchObject(standard.services[name]?.deploy ?? {});
      expect(service).not.toHaveProperty("depends_on");
      expect(service).not.toHaveProperty("build");
      // A stack publishes on all addresses.
      expect(service.ports).toEqual(
        name === "envoy" ? [expect.objectContaining({ target: 8080, mode: "host" })] : undefined,
      );
    }
    expect(Object.values(stack.networks).map(({ driver }) => driver)).toEqual(["overlay", "overlay", "overlay"]);
  });
});

describe("the development container", () => {
  it("[mesh.19] brings what the README asks for", () => {
    const container = JSON.parse(readFileSync(".devcontainer/devcontainer.json", "utf8"));
    const features = Object.fromEntries(
      Object.entries<{ version: string; installMaven?: string }>(container.features).map(([name, options]) => [
        name.replace(/^.*\/(\w+):\d+$/, "$1"),
        options,
      ]),
    );
    const readme = readFileSync("README.md", "utf8");
    for (const tool of ["Node", "Maven", "Go", "Python"]) expect(readme).toContain(tool);
    expect(Object.keys(features).sort()).toEqual(["go", "java", "node", "python"]);
    expect(features.java?.installMaven).toBe("true");
    expect(Number(features.node?.version)).toBeGreaterThanOrEqual(20);
    const wanted = /Go (1\.\d+)/.exec(readme)?.[1];
    if (wanted !== undefined) expect(features.go?.version).toBe(wanted);
    expect(container.postCreateCommand).toBe("npm ci");
    expect(packageFile.scripts.start).toContain("mesh.mjs up");
  });
});
