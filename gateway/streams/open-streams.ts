import { upDownCounter } from "#observability/metrics.ts";
import type { StreamRegistry } from "./stream-registry.ts";

/** How a stream reaches its client. */
export type StreamKind = "websocket" | "sse" | "ndjson" | "connect" | "grpc" | "grpc-web";

const open = upDownCounter("taskmesh.gateway.streams");

/** Counts a stream as open, and tells of it when it has a user. Answers with what counts it as closed. */
export function streamOpened(registry: StreamRegistry, kind: StreamKind, userId: string | undefined): () => void {
  const labels = { "network.protocol.name": kind };
  open.add(1, labels);
  const untold = userId === undefined ? undefined : registry.opened(userId, kind);
  return () => {
    open.add(-1, labels);
    untold?.();
  };
}
