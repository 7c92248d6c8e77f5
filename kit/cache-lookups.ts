import { counter } from "#observability/metrics.ts";

/**
 * access_token, service_identity: tokens found good a moment ago · api_key: traded for a token · entity_tag: answers that
 * a client has already · task_list, task_stats: answers kept in Redis · profile: people that the user service told of.
 */
export type CacheName =
  | "access_token"
  | "service_identity"
  | "api_key"
  | "entity_tag"
  | "task_list"
  | "task_stats"
  | "profile";

const lookups = counter("taskmesh.cache.lookups");

/** Made once: each call looks into two of them. */
const labels = {
  access_token: labelsOf("access_token"),
  service_identity: labelsOf("service_identity"),
  api_key: labelsOf("api_key"),
  entity_tag: labelsOf("entity_tag"),
  task_list: labelsOf("task_list"),
  task_stats: labelsOf("task_stats"),
  profile: labelsOf("profile"),
} satisfies Record<CacheName, unknown>;

/** Counts one look into a cache. */
export function countLookup(cache: CacheName, isHit: boolean): void {
  lookups.add(1, isHit ? labels[cache].hit : labels[cache].miss);
}

function labelsOf(cache: CacheName) {
  const of = (result: string) => ({ "taskmesh.cache.name": cache, "taskmesh.cache.result": result });
  return { hit: of("hit"), miss: of("miss") };
}
