import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { parse, parseAllDocuments } from "yaml";
import { processes, processNames } from "../../cli/topology.ts";
import { workloadNames } from "../../deploy/kubernetes/make/sizes.ts";
import packageFile from "../../package.json" with { type: "json" };
import { repositoryFiles } from "./sources.ts";

const scripts: Record<string, string> = packageFile.scripts;
const overlays = readdirSync("deploy/kubernetes/overlays");
const yaml = (path: string) => parse(readFileSync(path, "utf8"), { version: "1.1" });
// biome-ignore lint/suspicious/noExplicitAny: the tests look at one field of a deep document at a time.
type Loose = any;

describe("the same system", () => {
  it("runs on the machine itself, in containers, and in a cluster [mesh.14]", () => {
    // What `npm run mesh` starts is what every test of a whole mesh starts: programs, and no Docker.
    expect(scripts.mesh).toBe("node cli/bin/mesh.mjs up");
    const started = ["cli", "tests/_util"].flatMap((folder) =>
      readdirSync(folder, { recursive: true, encoding: "utf8" })
        .filter((file) => file.endsWith(".ts"))
        .map((file) => readFileSync(`${folder}/${file}`, "utf8")),
    );
    expect(started.filter((text) => /["'`]docker["' `]/.test(text))).toEqual([]);

    const { services } = yaml("docker-compose.yml");
    expect(Object.keys(services)).toEqual(
      expect.arrayContaining([...processNames, "envoy", "postgres", "redis", "kafka"]),
    );
    for (const overlay of overlays) {
      const { resources } = yaml(`deploy/kubernetes/overlays/${overlay}/kustomization.yaml`);
      expect(resources).toContain("../../base");
    }
    const { resources } = yaml("deploy/kubernetes/base/kustomization.yaml");
    const documents: Loose[] = resources.flatMap((file: string) =>
      parseAllDocuments(readFileSync(`deploy/kubernetes/base/${file}`, "utf8")).map((document) => document.toJS()),
    );
    const deployed = documents.filter(({ kind }) => kind === "Deployment").map(({ metadata }) => metadata.name);
    expect(deployed.sort()).toEqual([...workloadNames, "envoy"].sort());
  });

  it("has a script to start all of it, each process alone, its containers, and a cluster's [004.03]", () => {
    expect(scripts["start:dev"]).toMatch(/mesh\.mjs up /);
    for (const name of processNames) {
      expect(scripts[`start:${name}`]).toBe(`node cli/bin/run.mjs node cli/workers/main.ts ${name}`);
    }
    expect(scripts).toMatchObject({
      "docker:build:all": "docker compose build",
      "docker:up": "docker compose up --detach",
      "docker:logs": "docker compose logs --follow",
    });
    const overlay = /-k (\S+)$/.exec(scripts["k8s:deploy"] ?? "")?.[1] as string;
    const { namespace } = yaml(`${overlay}/kustomization.yaml`);
    expect(scripts["k8s:scale"]).toBe(`kubectl scale deployment gateway --replicas=10 --namespace ${namespace}`);
    for (const name of overlays) {
      const own = yaml(`deploy/kubernetes/overlays/${name}/namespace.yaml`);
      expect(own).toMatchObject({ kind: "Namespace", metadata: { name: namespace } });
    }
  });

  it("starts each process alone as the mesh starts it: one that lacks something says what", () => {
    for (const name of processNames.filter((one) => processes[one].member)) {
      expect(readFileSync(processes[name].entry, "utf8")).toContain("runMain");
    }
    const [program, ...args] = (scripts["start:task"] as string).split(" ");
    const run = () =>
      execFileSync(program as string, args, { encoding: "utf8", stdio: "pipe", env: { PATH: process.env.PATH } });
    expect(run).toThrow(/^task cannot start: TASK_DB_URL is missing/m);
  });
});

describe("the README", () => {
  it("says where to begin when it gets slow [003.19]", () => {
    expect(readFileSync("README.md", "utf8")).toContain(
      "Start simple, scale what bottlenecks first. Monitor before scaling.",
    );
  });

  it("counts the tests of each kind, and is not behind [mesh.13]", () => {
    const files = repositoryFiles().filter((path) => path.endsWith(".test.ts"));
    const under = (folder: string) => files.filter((path) => path.startsWith(`tests/${folder}/`)).length;
    const counted = {
      "unit tests": files.filter((path) => !/^tests\/(integration|repo|contract|chaos|e2e|telemetry)\//.test(path))
        .length,
      "against real parts": under("integration"),
      "of the repository's rules": under("repo"),
      "end to end": under("e2e"),
      "of chaos and load": under("chaos"),
      "of the contract": under("contract"),
    };
    const readme = readFileSync("README.md", "utf8").replace(/\s+/g, " ");
    for (const [kind, count] of Object.entries(counted)) {
      const claimed = Number(new RegExp(`(\\d+) (?:or more )?(?:files of )?${kind}`).exec(readme)?.[1]);
      expect([kind, claimed <= count, claimed >= 0.8 * count]).toEqual([kind, true, true]);
    }
  });
});
