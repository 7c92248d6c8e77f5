import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { findIn as find, type Loose, labelsMatch, podOf, renderedOf } from "./kubernetes-documents.ts";

const root = "deploy/kubernetes";

describe("replicas of PostgreSQL", () => {
  it("are two of 1 CPU and 2 GB beside a primary of 2 and 4: the first for auth, the second for the others [004.06]", () => {
    const rendered = renderedOf(join(root, "overlays/self-hosted"));
    const [primary, replica] = ["postgres", "postgres-replica"].map((name) => find("StatefulSet", name, rendered).spec);
    const [own, following] = [primary, replica].map(({ template }) => template.spec.containers[0]);
    expect(own.resources.limits).toEqual({ cpu: "2", memory: "4Gi" });
    expect([replica.replicas, following.resources.limits]).toEqual([2, { cpu: "1", memory: "2Gi" }]);
    const connections = (container: Loose) => container.args.find((arg: string) => arg.startsWith("max_connections"));
    expect(connections(following)).toBe(connections(own));
    const hosts = ["auth", "user", "task", "notification"].map(
      (name) =>
        podOf(find("Deployment", name, rendered)).containers[0].env.find(
          (variable: Loose) => variable.name === "DATABASE_READ_HOST",
        ).value,
    );
    const second = "postgres-replica-1.postgres-replica";
    expect(hosts).toEqual(["postgres-replica-0.postgres-replica", second, second, second]);
    const { spec: service } = find("Service", replica.serviceName, rendered);
    expect([service.clusterIP, labelsMatch(service.selector, replica.template.metadata.labels)]).toEqual([
      "None",
      true,
    ]);
    const role = /user=(\w+)/.exec(replica.template.spec.initContainers[0].command.at(-1))?.[1];
    expect(find("ConfigMap", "postgres-databases", rendered).data["replication.sh"]).toContain(`CREATE ROLE ${role} `);
  });
});
