import type { FastifyReply, FastifyRequest } from "fastify";
import { logger } from "#observability/logger.ts";
import { attributes, type SpanName } from "#observability/names.ts";
import { extractContext, markFailed, type Span, SpanKind, setAttributes, withSpan } from "#observability/tracing.ts";
import { requestAnswered, requestStarted } from "./metrics.ts";

const log = logger("gateway");

const other = "_OTHER";
const knownMethods: ReadonlySet<string> = new Set([
  "GET",
  "HEAD",
  "POST",
  "PUT",
  "PATCH",
  "DELETE",
  "OPTIONS",
  "TRACE",
]);

/**
 * Runs the handling of a request in a server span that continues the caller's trace, with one measurement, and a log
 * line when it was refused. `route` is a template: names of spans and metrics must not grow with the data.
 */
export async function observed(
  request: FastifyRequest,
  reply: FastifyReply,
  route: string,
  handle: () => Promise<unknown>,
): Promise<void> {
  const { edge } = request;
  const method = methodOf(request);
  const name = `${method === other ? "HTTP" : method} ${route}` as SpanName;
  const options = {
    kind: SpanKind.SERVER,
    parent: extractContext(request.headers),
    startTime: edge.startTime,
    attributes: { [attributes.httpMethod]: method, [attributes.httpRoute]: route },
  };
  requestStarted();
  await withSpan(name, options, async (span) => {
    try {
      await handle();
    } finally {
      report(request, reply, span, route);
    }
  });
}

/** A stranger's method may be any word; OpenTelemetry has one name for all that are not known. */
function methodOf({ method }: FastifyRequest): string {
  return knownMethods.has(method) ? method : other;
}

function report(request: FastifyRequest, { raw }: FastifyReply, span: Span, route: string): void {
  const { edge } = request;
  const method = methodOf(request);
  const status = raw.statusCode;
  const durationMs = Date.now() - edge.startTime;
  requestAnswered({ method, route, status, durationMs });
  setAttributes(span, { [attributes.httpStatus]: status, [attributes.requestId]: edge.requestId });
  if (status >= 500) markFailed(span, Object.assign(new Error(), { code: String(status) }));
  // Envoy's access log has every request; a line here for each would cost a quarter of the gateway's time.
  const level = levelOf(status);
  if (!log.isLevelEnabled(level)) return;
  log[level](
    {
      [attributes.httpMethod]: method,
      [attributes.httpRoute]: route,
      [attributes.httpStatus]: status,
      [attributes.requestId]: edge.requestId,
      duration_ms: durationMs,
    },
    "request answered",
  );
}

/** By the outcome: what is a fault of ours, what is trouble that may pass, and what is a refusal. */
function levelOf(status: number): "debug" | "info" | "warn" | "error" {
  if (status < 400) return "debug";
  if (status < 500) return "info";
  return status === 503 || status === 504 ? "warn" : "error";
}
