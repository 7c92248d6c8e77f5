import { upDownCounter } from "#observability/metrics.ts";

/** How a stream reaches its client. */
export type StreamKind = "websocket" | "sse" | "ndjson" | "connect" | "grpc" | "grpc-web";

const open = upDownCounter("taskmesh.gateway.streams");

/** Counts a stream as open. Answers with what counts it as closed. */
export function streamOpened(kind: StreamKind): () => void {
  const labels = { "network.protocol.name": kind };
  open.add(1, labels);
  return () => open.add(-1, labels);
}
