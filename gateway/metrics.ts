import { histogram, upDownCounter } from "#observability/metrics.ts";
import { attributes } from "#observability/names.ts";
import { RecentRequests } from "./recent-requests.ts";

const duration = histogram("http.server.request.duration");
const active = upDownCounter("http.server.active_requests");

/** Of this process, like the instruments. */
export const recentRequests = new RecentRequests();

export interface AnsweredRequest {
  method: string;
  /** Template of the path, never the path itself. */
  route: string;
  status: number;
  durationMs: number;
}

export function requestStarted(): void {
  active.add(1);
  recentRequests.started();
}

export function requestAnswered({ method, route, status, durationMs }: AnsweredRequest): void {
  active.add(-1);
  recentRequests.answered(status, durationMs);
  duration.record(durationMs / 1000, {
    [attributes.httpMethod]: method,
    [attributes.httpRoute]: route,
    [attributes.httpStatus]: status,
    [attributes.httpProtocol]: "http",
  });
}
