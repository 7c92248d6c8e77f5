import type { DescMethod, Message } from "@bufbuild/protobuf";
import { type Binding, bindingsOfMethod } from "./binding.ts";
import { decodeRequest } from "./decode-request.ts";
import { encodeResponse } from "./encode-response.ts";
import { RouteTree } from "./route-tree.ts";

export type RouteResult =
  | { kind: "found"; binding: Binding; segments: readonly string[] }
  | { kind: "other-method"; allow: string[] }
  | { kind: "unknown" };

/** HTTP and JSON for RPCs, as their google.api.http annotations say. */
export class Transcoder {
  readonly bindings: readonly Binding[];
  readonly #routes = new RouteTree<Binding>();

  /** Throws HttpRuleError when an annotation cannot be served or two claim the same path. */
  constructor(methods: readonly DescMethod[]) {
    this.bindings = methods.flatMap(bindingsOfMethod);
    for (const binding of this.bindings) this.#routes.add(binding.httpMethod, binding.template, binding);
  }

  /** `path` as in the request target: without the query, still percent-encoded. */
  route(httpMethod: string, path: string): RouteResult {
    const match = this.#routes.find(httpMethod, path);
    if (match === undefined) return { kind: "unknown" };
    return match.kind === "found" ? { kind: "found", binding: match.value, segments: match.segments } : match;
  }

  /** The request message. Throws TranscodingError. `query` is without its "?". */
  decode(
    route: { binding: Binding; segments: readonly string[] },
    query: string,
    body: Uint8Array | undefined,
  ): Message {
    return decodeRequest(route.binding, { segments: route.segments, query, body });
  }

  /** The JSON text of the answer. */
  encode(binding: Binding, response: Message): string {
    return encodeResponse(binding, response);
  }
}
