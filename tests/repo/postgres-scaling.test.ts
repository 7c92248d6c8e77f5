import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { parse } from "yaml";
import { sessionLimits } from "#kit/db/session-limits.ts";
import { databases, processes, processNames } from "../../cli/topology.ts";
import { images } from "../../deploy/compose/images.ts";
import { members, oneServer } from "../../deploy/compose/places.ts";
import { handOutKeys } from "../../deploy/keys.ts";
import { pgbouncerFile } from "../../deploy/pgbouncer.ts";
import { migrations } from "../../services/task/db/mikro-orm.config.ts";
import { alertCases } from "../integration/observability/alert-cases.ts";
import { findIn, type Loose, labelsMatch, podOf, resourcesOf } from "./kubernetes-documents.ts";

/** Sections of an INI file: its keys and values. */
function sectionsOf(text: string): Record<string, Record<string, string>> {
  const sections: Record<string, Record<string, string>> = {};
  let current: Record<string, string> = {};
  for (const line of text.split("\n")) {
    const [, section] = /^\[(\w+)\]$/.exec(line) ?? [];
    const [, key, value] = /^(\w+) = (.*)$/.exec(line) ?? [];
    if (section !== undefined) current = sections[section] ??= {};
    else if (key !== undefined) current[key] = value as string;
    else expect(line).toMatch(/^(;.*)?$/);
  }
  return sections;
}

const { databases: lent = {}, pgbouncer = {} } = sectionsOf(readFileSync(pgbouncerFile, "utf8"));
const folder = "deploy/kubernetes/components/pgbouncer";
const component = parse(readFileSync(join(folder, "kustomization.yaml"), "utf8"));
const documents = resourcesOf(folder);
const base = resourcesOf("deploy/kubernetes/base");
const stored = processNames.filter((name) => processes[name].database !== undefined);

describe("PgBouncer", () => {
  it("lends sessions of every database for a transaction, with the limits that the services set, and fewer than there are", () => {
    expect(Object.keys(lent)).toEqual([...databases]);
    for (const [name, place] of Object.entries(lent)) {
      expect(place).toContain(`dbname=${name} `);
      for (const [limit, ms] of Object.entries(sessionLimits)) expect(place).toContain(`SET ${limit} = ${ms}`);
    }
    expect(pgbouncer).toMatchObject({ pool_mode: "transaction", auth_type: "scram-sha-256" });
    for (const limit of Object.keys(sessionLimits)) expect(pgbouncer.ignore_startup_parameters).toContain(limit);
    expect(Number(pgbouncer.max_prepared_statements)).toBeGreaterThan(0);
    const compose = parse(readFileSync("docker-compose.yml", "utf8"));
    const most = /max_connections=(\d+)/.exec(compose.services.postgres.command.join(" "))?.[1];
    expect(Number(pgbouncer.default_pool_size) * databases.length).toBeLessThan(Number(most) * 0.9);
    const clients = stored.reduce((sum, name) => sum + processes[name].replicas.heavy, 0) * 10;
    expect(Number(pgbouncer.max_client_conn)).toBeGreaterThan(clients);
  });

  it("stands between all who have a database and PostgreSQL, in containers and in a cluster", () => {
    const { services, volumes } = parse(readFileSync("docker-compose.pooler.yml", "utf8"));
    const pooled = Object.entries<Loose>(services).filter(([, { environment }]) => environment?.DATABASE_POOLER_HOST);
    expect(pooled.map(([name]) => name).sort()).toEqual([...stored].sort());
    const { pgbouncer: container } = services;
    expect(container).toMatchObject({
      image: images.pgbouncer,
      read_only: true,
      cap_drop: ["ALL"],
      networks: ["data"],
    });
    expect(container.volumes[0]).toBe(`./${pgbouncerFile}:/etc/pgbouncer/pgbouncer.ini:ro`);
    expect(Object.keys(volumes)).toEqual(["keys-pgbouncer"]);

    const deployment = findIn("Deployment", "pgbouncer", documents);
    const [inside] = podOf(deployment).containers;
    expect([inside.image, inside.ports[0].containerPort]).toEqual([images.pgbouncer, Number(pgbouncer.listen_port)]);
    const { spec: service } = findIn("Service", "pgbouncer", documents);
    expect([service.ports[0].port, labelsMatch(service.selector, deployment.spec.template.metadata.labels)]).toEqual([
      5432,
      true,
    ]);
    expect(component.configMapGenerator).toEqual([{ name: "pgbouncer", files: ["pgbouncer.ini"] }]);
    const [{ target, patch }] = component.patches;
    expect(parse(patch)[0].value).toEqual({ name: "DATABASE_POOLER_HOST", value: "pgbouncer" });
    const meant = base.filter(
      ({ kind, metadata }) => kind === target.kind && new RegExp(`^(${target.name})$`).test(metadata.name),
    );
    expect(meant.map(({ metadata }) => metadata.name).sort()).toEqual([...stored].sort());
  });

  describe("its accounts", () => {
    const root = mkdtempSync(join(tmpdir(), "taskmesh-pooler-keys-"));
    afterAll(() => rmSync(root, { recursive: true }));

    it("are handed out to it alone, and are those of the databases' URLs", () => {
      for (const owner of ["mesh", "ops", "grafana", "postgres", "pgbouncer", ...members]) mkdirSync(join(root, owner));
      handOutKeys(oneServer, root);
      const lines = readFileSync(join(root, "pgbouncer/userlist.txt"), "utf8").trim().split("\n");
      for (const name of databases) {
        const url = new URL(readFileSync(join(root, name, "database-url"), "utf8"));
        expect(lines).toContain(`"${name}" "${url.password}"`);
      }
      expect(existsSync(join(root, "task/userlist.txt"))).toBe(false);
    });
  });
});

describe("a PostgreSQL that has too much to do", () => {
  it("[003.05] is seen by an alert for each trigger, and has replicas, a pooler and tables in partitions", () => {
    const triggers = {
      "pool exhausted": ["PoolExhausted", "ConnectionsNearLimit"],
      "latency above SLA": ["DatabaseSlow", "ResponseAbove500ms"],
      "CPU above 70 %": ["PostgresCpuHigh"],
      "disk I/O": ["DiskSlow"],
    };
    const { groups } = parse(readFileSync("observability/prometheus/rules/alerts.yml", "utf8"));
    const rules = new Map<string, string>(
      groups.flatMap(({ rules }: Loose) => rules.map(({ alert, expr }: Loose) => [alert, expr])),
    );
    const docs = readFileSync("docs/scaling.md", "utf8");
    for (const alert of Object.values(triggers).flat()) {
      expect(rules.has(alert), alert).toBe(true);
      expect(
        alertCases.some((one) => one.alert === alert),
        alert,
      ).toBe(true);
      expect(docs).toContain(alert);
    }
    expect(rules.get("PostgresCpuHigh")).toContain("> 0.7");

    const replicas = findIn(
      "StatefulSet",
      "postgres-replica",
      resourcesOf("deploy/kubernetes/components/postgres-replicas"),
    );
    expect(replicas.spec.replicas).toBe(2);
    expect(pgbouncer.pool_mode).toBe("transaction");
    const statements = migrations.flatMap(({ class: Step }) => {
      const step = new (Step as new () => Loose)();
      step.queries = [];
      step.addSql = (sql: string) => step.queries.push(sql);
      step.up();
      return step.queries as string[];
    });
    const table = statements.find((sql) => /create table task_activity\b/i.test(sql));
    expect(table).toMatch(/partition by range \(occur_time\)/i);
  });
});
