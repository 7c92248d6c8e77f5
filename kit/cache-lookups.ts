import { counter } from "#observability/metrics.ts";

/** access_token, service_identity: tokens found good a moment ago · api_key: traded for a token · entity_tag: answers that a client has already. */
export type CacheName = "access_token" | "service_identity" | "api_key" | "entity_tag";

const lookups = counter("taskmesh.cache.lookups");

/** Counts one look into a cache. */
export function countLookup(cache: CacheName, isHit: boolean): void {
  lookups.add(1, { "taskmesh.cache.name": cache, "taskmesh.cache.result": isHit ? "hit" : "miss" });
}
