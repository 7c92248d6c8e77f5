import { retriesHeader } from "#kit/grpc/retry-ledger.ts";
import { attributes } from "#observability/names.ts";
import { extension, type Json, typed } from "./json.ts";
import type { Settings } from "./options.ts";

/** What the caller leaves to this hop. At the edge these would be a stranger's words. */
const ledger: Json[] = [
  { tag: "taskmesh.deadline.remaining", request_header: { name: "grpc-timeout" } },
  { tag: attributes.retryLeft, request_header: { name: retriesHeader } },
];

/** Where a stranger is, what it asked for and how it spelled it: the gateway names the route, the log the address. */
const strangers: Json[] = [
  { tag: "http.url", value: "%ROUTE_NAME%" },
  ...["grpc.path", "grpc.authority", "peer.address"].map((tag) => ({ tag, literal: { value: "-" } })),
];

/** The tracer of a listener, which names itself in the traces. Nothing without a collector. */
export function tracing(settings: Settings, serviceName: "envoy-edge" | "envoy-mesh"): Json {
  if (settings.otlp === undefined) return {};
  return {
    tracing: {
      provider: extension("envoy.tracers.opentelemetry", "envoy.config.trace.v3.OpenTelemetryConfig", {
        grpc_service: { envoy_grpc: { cluster_name: "otlp" }, timeout: "1s" },
        service_name: serviceName,
        sampler: sampler(settings.samplePercent),
      }),
      // The sampler decides, nothing before it.
      random_sampling: { value: 100 },
      client_sampling: { value: 0 },
      // One span for the request as it came in, and one for each try upstream.
      spawn_upstream_span: true,
      operation: serviceName === "envoy-edge" ? "%REQ(:METHOD)% %ROUTE_NAME%" : "%ROUTE_NAME%",
      upstream_operation: "to %UPSTREAM_CLUSTER%",
      custom_tags: [
        // These replace what Envoy would write.
        ...(serviceName === "envoy-mesh" ? [{ tag: "http.url", value: "%PATH(NQ)%" }, ...ledger] : strangers),
        { tag: "user_agent", literal: { value: "-" } },
      ],
    },
    // By default Envoy hides its own decision in the request id, and traces nothing that has none.
    request_id_extension: {
      typed_config: typed("envoy.extensions.request_id.uuid.v3.UuidRequestIdConfig", {
        pack_trace_reason: false,
        use_request_id_for_trace_sampling: false,
      }),
    },
  };
}

/** The first hop decides and the others follow, so that a trace is whole or absent. */
function sampler(percent: number): Json {
  const ratio = typed("envoy.extensions.tracers.opentelemetry.samplers.v3.TraceIdRatioBasedSamplerConfig", {
    sampling_percentage: { numerator: Math.round(percent * 10_000), denominator: "MILLION" },
  });
  return extension(
    "envoy.tracers.opentelemetry.samplers.parent_based",
    "envoy.extensions.tracers.opentelemetry.samplers.v3.ParentBasedSamplerConfig",
    { wrapped_sampler: { name: "envoy.tracers.opentelemetry.samplers.trace_id_ratio_based", typed_config: ratio } },
  );
}
