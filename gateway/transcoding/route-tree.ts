import { HttpRuleError } from "./errors.ts";
import type { PathTemplate, Segment } from "./path-template.ts";

/** The routes of one node, by custom verb and then by HTTP method. */
type Leaf<T> = Map<string, Map<string, T>>;

class Node<T> {
  readonly literals = new Map<string, Node<T>>();
  star: Node<T> | undefined;
  rest: Node<T> | undefined;
  readonly leaf: Leaf<T> = new Map();

  child(segment: Segment): Node<T> {
    if (segment.kind === "*") {
      this.star ??= new Node();
      return this.star;
    }
    if (segment.kind === "**") {
      this.rest ??= new Node();
      return this.rest;
    }
    const child = this.literals.get(segment.text) ?? new Node<T>();
    this.literals.set(segment.text, child);
    return child;
  }
}

export type RouteMatch<T> = { kind: "found"; value: T; segments: string[] } | { kind: "other-method"; allow: string[] };

interface Search<T> {
  readonly method: string;
  readonly segments: readonly string[];
  readonly verb: string;
  readonly allow: Set<string>;
  found: T | undefined;
}

/** Finds the route of a path: literals go before "*", "*" before "**", a custom verb before the same text in a value. */
export class RouteTree<T> {
  readonly #root = new Node<T>();

  /** Throws HttpRuleError when method and path are taken. */
  add(method: string, template: PathTemplate, value: T): void {
    let node = this.#root;
    for (const segment of template.segments) node = node.child(segment);
    const methods = node.leaf.get(template.verb) ?? new Map<string, T>();
    if (methods.has(method)) throw new HttpRuleError(`${method} ${template.text}: the path is taken by another method`);
    methods.set(method, value);
    node.leaf.set(template.verb, methods);
  }

  /** `path` is the path of the request target as it came, still percent-encoded. Undefined: no route has it. */
  find(method: string, path: string): RouteMatch<T> | undefined {
    if (path.includes("//") || path.endsWith("/")) return undefined;
    const segments = path.slice(1).split("/");
    const allow = new Set<string>();
    const last = segments.at(-1) ?? "";
    const colon = last.lastIndexOf(":");
    if (colon > 0) {
      const verb = last.slice(colon + 1);
      const stripped = segments.with(-1, last.slice(0, colon));
      const value = walk(this.#root, 0, { method, segments: stripped, verb, allow, found: undefined });
      if (value !== undefined) return { kind: "found", value, segments: stripped };
      // The verb belongs to the path alone: "/tasks/7:complete" is never the task "7:complete".
      if (allow.size > 0) return { kind: "other-method", allow: [...allow] };
    }
    const value = walk(this.#root, 0, { method, segments, verb: "", allow, found: undefined });
    if (value !== undefined) return { kind: "found", value, segments };
    // A verb that nobody has makes another path of it: "/tasks/7:nope" is not the task "7:nope" for other methods.
    return allow.size > 0 && colon <= 0 ? { kind: "other-method", allow: [...allow] } : undefined;
  }
}

function walk<T>(node: Node<T>, depth: number, search: Search<T>): T | undefined {
  const segment = search.segments[depth];
  if (segment === undefined) return pick(node, search) ?? (node.rest && pick(node.rest, search));
  const literal =
    node.literals.get(segment) ?? (segment.includes("%") ? node.literals.get(decoded(segment)) : undefined);
  return (
    (literal && walk(literal, depth + 1, search)) ??
    (node.star && walk(node.star, depth + 1, search)) ??
    (node.rest && pick(node.rest, search))
  );
}

function pick<T>(node: Node<T>, search: Search<T>): T | undefined {
  const methods = node.leaf.get(search.verb);
  if (methods === undefined) return undefined;
  const value =
    methods.get(search.method) ?? (search.method === "HEAD" ? methods.get("GET") : undefined) ?? methods.get("*");
  if (value === undefined) for (const method of methods.keys()) search.allow.add(method);
  return value;
}

function decoded(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    return segment;
  }
}
