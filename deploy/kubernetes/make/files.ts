import { stringify } from "yaml";
import { horizontalPodAutoscaler, scaledObject } from "./autoscaling.ts";
import { networkPolicies } from "./network.ts";
import { type WorkloadName, workloadNames } from "./sizes.ts";
import {
  deployment,
  disruptionBudget,
  envoyDeployment,
  envoyServices,
  headlessService,
  partOf,
  sharedVariables,
} from "./workloads.ts";

const folder = "deploy/kubernetes/base";
const heading = "# Made from cli/topology.ts by `npm run kubernetes`; a test compares them.\n";

/** The files of the Kustomize base: path from the root of the repository to text. */
export function kubernetesFiles(): Record<string, string> {
  const documents: Record<string, object[]> = {
    "config.yaml": [{ apiVersion: "v1", kind: "ConfigMap", metadata: { name: "taskmesh" }, data: sharedVariables }],
    ...Object.fromEntries(workloadNames.map((name) => [`${name}.yaml`, workloadDocuments(name)])),
    "envoy.yaml": [envoyDeployment(), ...envoyServices(), disruptionBudget("envoy")],
    "network-policies.yaml": networkPolicies(),
    "autoscaling.yaml": [
      ...workloadNames.filter((name) => name !== "consumers").map(horizontalPodAutoscaler),
      scaledObject(),
    ],
  };
  const kustomization = {
    apiVersion: "kustomize.config.k8s.io/v1beta1",
    kind: "Kustomization",
    namespace: "taskmesh",
    labels: [{ pairs: partOf }],
    resources: Object.keys(documents),
  };
  const all = { "kustomization.yaml": [kustomization], ...documents };
  return Object.fromEntries(Object.entries(all).map(([name, list]) => [`${folder}/${name}`, render(list)]));
}

function workloadDocuments(name: WorkloadName): object[] {
  return [deployment(name), headlessService(name), disruptionBudget(name)];
}

function render(documents: object[]): string {
  const options = { aliasDuplicateObjects: false, lineWidth: 0 };
  return heading + documents.map((document) => stringify(document, options)).join("---\n");
}
