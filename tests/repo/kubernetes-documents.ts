import { readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { expect } from "vitest";
import { parse, parseAllDocuments } from "yaml";

// biome-ignore lint/suspicious/noExplicitAny: the tests look at one field of a deep document at a time.
export type Loose = any;

export const documentsOf = (file: string): Loose[] =>
  parseAllDocuments(readFileSync(file, "utf8")).map((one) => one.toJS());

/** Every document that a kustomization brings together, before its patches. */
export function resourcesOf(folder: string): Loose[] {
  const { resources = [], components = [] } = parse(readFileSync(join(folder, "kustomization.yaml"), "utf8"));
  return [...resources, ...components].flatMap((name: string) => {
    const path = join(folder, name);
    return statSync(path).isDirectory() ? resourcesOf(path) : documentsOf(path);
  });
}

export const findIn = (kind: string, name: string, among: Loose[]): Loose =>
  among.find((document) => document.kind === kind && document.metadata.name === name);
export const podOf = (workload: Loose): Loose => workload.spec.template.spec;

/** What becomes of a document by a JSON patch. */
function patched(document: Loose, patch: Loose[]): Loose {
  const copy = structuredClone(document);
  for (const { op, path, value } of patch) {
    const keys: string[] = path.slice(1).split("/");
    const last = keys.pop() as string;
    const place = keys.reduce((inner, key) => inner[key], copy);
    if (op === "replace") expect(place).toHaveProperty([last]);
    if (last === "-") place.push(value);
    else place[last] = value;
  }
  return copy;
}

/** Every document of a kustomization, after its patches and those of its components. */
export function renderedOf(folder: string): Loose[] {
  const {
    components = [],
    patches = [],
    replicas: counts = [],
  } = parse(readFileSync(join(folder, "kustomization.yaml"), "utf8"));
  const all: Loose[] = [
    ...components.flatMap(
      (name: string) => parse(readFileSync(join(folder, name, "kustomization.yaml"), "utf8")).patches ?? [],
    ),
    ...patches,
  ];
  return resourcesOf(folder).map((document) => {
    const meant = all.filter(
      ({ target }) =>
        target?.kind === document.kind && new RegExp(`^(${target.name ?? ".*"})$`).test(document.metadata.name),
    );
    const changed = meant.reduce((before, { patch }) => patched(before, parse(patch)), document);
    const count = counts.find(({ name }: Loose) => name === document.metadata.name && document.kind === "Deployment");
    return count === undefined ? changed : { ...changed, spec: { ...changed.spec, replicas: count.count } };
  });
}

export const labelsMatch = (selector: Record<string, string>, labels: Record<string, string>) =>
  Object.entries(selector).every(([key, value]) => labels[key] === value);
