/** One attribute as OTLP carries it. */
export interface OtlpValue {
  type: "string" | "int" | "double" | "boolean" | "other";
  value: unknown;
}

export interface OtlpSpan {
  traceId: string;
  spanId: string;
  parentSpanId: string;
  name: string;
  kind: string;
  service: string;
  resource: Readonly<Record<string, unknown>>;
  attributes: Readonly<Record<string, OtlpValue>>;
  links: readonly { traceId: string; spanId: string }[];
  /** Nanoseconds since 1970. */
  start: bigint;
  end: bigint;
}

interface RawValue {
  stringValue?: string;
  intValue?: string;
  doubleValue?: number;
  boolValue?: boolean;
}
interface RawAttribute {
  key: string;
  value: RawValue;
}
interface RawSpan {
  traceId: string;
  spanId: string;
  parentSpanId?: string;
  name: string;
  kind?: number;
  attributes?: RawAttribute[];
  links?: { traceId: string; spanId: string }[];
  startTimeUnixNano: string;
  endTimeUnixNano: string;
}
interface RawResource {
  resource?: { attributes?: RawAttribute[] };
  scopeSpans?: { spans?: RawSpan[] }[];
}

const kinds = ["unspecified", "internal", "server", "client", "producer", "consumer"];

/** The spans of one trace as they were sent, types and links included; none while Jaeger does not know it. */
export async function spansOf(jaeger: string, traceId: string): Promise<OtlpSpan[]> {
  return read(await ask(`${jaeger}/api/v3/traces/${traceId}`));
}

/** The spans of all traces in which a service took part. */
export async function allSpansOf(jaeger: string, service: string): Promise<OtlpSpan[]> {
  const query = new URLSearchParams({
    "query.service_name": service,
    "query.start_time_min": new Date(Date.now() - 3_600_000).toISOString(),
    "query.start_time_max": new Date(Date.now() + 60_000).toISOString(),
    "query.num_traces": "5000",
  });
  return read(await ask(`${jaeger}/api/v3/traces?${query}`));
}

/** The answer as it came, to search all of it. */
export async function ask(url: string): Promise<string> {
  const response = await fetch(url, { signal: AbortSignal.timeout(30_000) });
  if (response.status === 404) return "";
  if (!response.ok) throw new Error(`Jaeger answered ${response.status}`);
  return response.text();
}

/** A stream of JSON objects, or one of them. */
function read(text: string): OtlpSpan[] {
  const chunks = text
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as { result: { resourceSpans?: RawResource[] } });
  return chunks.flatMap(({ result }) => (result.resourceSpans ?? []).flatMap(spansOfResource));
}

function spansOfResource({ resource, scopeSpans = [] }: RawResource): OtlpSpan[] {
  const about = Object.fromEntries((resource?.attributes ?? []).map(({ key, value }) => [key, typed(value).value]));
  const service = String(about["service.name"]);
  return scopeSpans.flatMap(({ spans = [] }) => spans.map((span) => spanOf(span, service, about)));
}

function spanOf(raw: RawSpan, service: string, resource: Record<string, unknown>): OtlpSpan {
  return {
    traceId: raw.traceId,
    spanId: raw.spanId,
    parentSpanId: raw.parentSpanId ?? "",
    name: raw.name,
    kind: kinds[raw.kind ?? 0] ?? "unspecified",
    service,
    resource,
    attributes: Object.fromEntries(
      (raw.attributes ?? []).flatMap(({ key, value }) => (key.startsWith("@jaeger@") ? [] : [[key, typed(value)]])),
    ),
    links: raw.links ?? [],
    start: BigInt(raw.startTimeUnixNano),
    end: BigInt(raw.endTimeUnixNano),
  };
}

function typed({ stringValue, intValue, doubleValue, boolValue, ...rest }: RawValue): OtlpValue {
  if (stringValue !== undefined) return { type: "string", value: stringValue };
  if (intValue !== undefined) return { type: "int", value: Number(intValue) };
  if (doubleValue !== undefined) return { type: "double", value: doubleValue };
  if (boolValue !== undefined) return { type: "boolean", value: boolValue };
  return { type: "other", value: rest };
}
