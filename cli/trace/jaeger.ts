import { UserError } from "../user-error.ts";

/** A span as Jaeger's query API gives it; times in microseconds. */
export interface JaegerSpan {
  traceID: string;
  spanID: string;
  operationName: string;
  startTime: number;
  duration: number;
  processID: string;
  references: { refType: string; traceID: string; spanID: string }[];
  tags: { key: string; value: unknown }[];
}

export interface JaegerTrace {
  traceID: string;
  spans: JaegerSpan[];
  processes: Record<string, { serviceName: string; tags?: { key: string; value: unknown }[] }>;
}

/** One trace by its id (32 or 16 hex digits); throws one line when Jaeger is away or does not know it. */
export async function fetchTrace(jaegerUrl: string, traceId: string): Promise<JaegerTrace> {
  if (!/^[0-9a-f]{16,32}$/i.test(traceId)) {
    throw new UserError(`"${traceId}" is no trace id: give its 32 hexadecimal digits, or the word last`);
  }
  const [trace] = await ask(jaegerUrl, `/api/traces/${traceId}`);
  if (trace === undefined) throw new UserError(`Jaeger does not know the trace ${traceId}: it keeps only the newest`);
  return trace;
}

/** The newest trace that came in by the edge. */
export async function fetchLastTrace(jaegerUrl: string, service: string): Promise<JaegerTrace> {
  const traces = await ask(jaegerUrl, `/api/traces?service=${service}&limit=20&lookback=1h`);
  const newest = traces.sort((one, other) => startOf(other) - startOf(one))[0];
  if (newest === undefined)
    throw new UserError(`Jaeger has no traces of ${service} yet: send a request to the edge first`);
  return newest;
}

function startOf(trace: JaegerTrace): number {
  return Math.min(...trace.spans.map((span) => span.startTime));
}

async function ask(jaegerUrl: string, path: string): Promise<JaegerTrace[]> {
  let response: Response;
  try {
    response = await fetch(`${jaegerUrl}${path}`, { signal: AbortSignal.timeout(10_000) });
  } catch {
    throw new UserError(`Jaeger does not answer at ${jaegerUrl}: see \`npx mesh ps\`, or set JAEGER_PORT`);
  }
  if (response.status === 404) return [];
  if (!response.ok) throw new UserError(`Jaeger answered ${response.status} at ${jaegerUrl}`);
  return ((await response.json()) as { data: JaegerTrace[] | null }).data ?? [];
}
