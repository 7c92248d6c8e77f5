/**
 * The official images, by exact tag. Their digests are not pinned: they can only be learnt from an image registry, and
 * a tag of these projects names one release. To pin one, write its digest after the tag: `redis:7.4.6-alpine@sha256:…`.
 */
export const images = {
  /** The base of ours; the Dockerfile says the same. */
  node: "node:24.21.0-bookworm-slim",
  postgres: "postgres:18.4-bookworm",
  pgbouncer: "edoburu/pgbouncer:v1.24.1-p1",
  redis: "redis:7.4.6-alpine",
  kafka: "apache/kafka:4.1.2",
  jaeger: "jaegertracing/jaeger:2.13.0",
  envoy: "envoyproxy/envoy:v1.40.0",
  prometheus: "prom/prometheus:v3.5.0",
  grafana: "grafana/grafana:12.1.0",
} as const;

/** Ours: one image for every process. */
export const ourImage = {
  image: "taskmesh:${TASKMESH_TAG:-local}",
  build: { context: ".", dockerfile: "deploy/Dockerfile" },
};
