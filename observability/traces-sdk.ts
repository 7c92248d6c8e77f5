import { type DiagLogger, DiagLogLevel, diag, trace } from "@opentelemetry/api";
import { setGlobalErrorHandler } from "@opentelemetry/core";
import { OTLPTraceExporter } from "@opentelemetry/exporter-trace-otlp-proto";
import {
  BatchSpanProcessor,
  ParentBasedSampler,
  TraceIdRatioBasedSampler,
  TracerProvider,
} from "@opentelemetry/sdk-trace";
import type { TelemetryConfig } from "./config.ts";
import { errorType } from "./error-type.ts";
import { logger } from "./logger.ts";
import { resourceOf } from "./resource.ts";
import { sdkMeters } from "./sdk-meters.ts";
import { seldom } from "./seldom.ts";

const queueSize = 16_384;
const batchSize = 1024;
const flushEveryMs = 500;
/** Short, because a process that stops waits for it when the collector is away; a batch on a local network takes a few ms. */
const exportTimeoutMs = 2000;
const complainEveryMs = 60_000;

/** Starts tracing to an OTLP collector (http/protobuf). Answers with what sends the rest and stops. */
export function startTraces(
  resource: TelemetryConfig["resource"],
  { endpoint, sampleRatio }: NonNullable<TelemetryConfig["traces"]>,
): () => Promise<void> {
  const complain = complainSeldom(endpoint);
  const processor = new BatchSpanProcessor({
    exporter: new OTLPTraceExporter({
      url: `${endpoint.replace(/\/+$/, "")}/v1/traces`,
      timeoutMillis: exportTimeoutMs,
    }),
    maxQueueSize: queueSize,
    maxExportBatchSize: batchSize,
    scheduledDelayMillis: flushEveryMs,
    exportTimeoutMillis: exportTimeoutMs + 500,
    // Counts what was sent, what failed and what did not fit: otel_sdk_processor_span_processed_total by error_type.
    selfObsMeterProvider: sdkMeters,
  });
  const provider = new TracerProvider({
    resource: resourceOf(resource),
    // The first hop decides and the others follow, so that a trace is whole or absent.
    sampler: new ParentBasedSampler({ root: new TraceIdRatioBasedSampler(sampleRatio) }),
    spanLimits: { attributeValueLengthLimit: 256, attributeCountLimit: 64 },
    spanProcessors: [processor],
  });
  trace.setGlobalTracerProvider(provider);
  return () => provider.shutdown().catch((error) => complain(errorType(error)));
}

/** A collector that is away is no fault of the process: one line a minute, however many batches fail. */
function complainSeldom(endpoint: string): (reason: string) => void {
  const log = logger("telemetry");
  const { origin } = new URL(endpoint);
  const complain = seldom<string>(complainEveryMs, (reason, failures) =>
    log.warn({ endpoint: origin, failures, reason }, "spans are not reaching the collector"),
  );
  setGlobalErrorHandler((error) => complain(errorType(error)));
  const ignore = () => {};
  const loud: DiagLogger["warn"] = (message) => complain(message.slice(0, 200));
  diag.setLogger(
    { error: loud, warn: loud, info: ignore, debug: ignore, verbose: ignore },
    { logLevel: DiagLogLevel.WARN, suppressOverrideMessage: true },
  );
  return complain;
}
