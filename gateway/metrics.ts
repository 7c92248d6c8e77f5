import { histogram, upDownCounter } from "#observability/metrics.ts";
import { attributes } from "#observability/names.ts";

const duration = histogram("http.server.request.duration");
const active = upDownCounter("http.server.active_requests");

export interface AnsweredRequest {
  method: string;
  /** Template of the path, never the path itself. */
  route: string;
  status: number;
  durationMs: number;
}

export function requestStarted(): void {
  active.add(1);
}

export function requestAnswered({ method, route, status, durationMs }: AnsweredRequest): void {
  active.add(-1);
  duration.record(durationMs / 1000, {
    [attributes.httpMethod]: method,
    [attributes.httpRoute]: route,
    [attributes.httpStatus]: status,
    [attributes.httpProtocol]: "http",
  });
}
