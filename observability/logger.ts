import { isSpanContextValid, trace } from "@opentelemetry/api";
import { pino } from "pino";
import { readTelemetryConfig } from "./config.ts";
import { standardOutput } from "./log-output.ts";
import { redact, scrub, serialiseError } from "./redaction.ts";

export type Logger = pino.Logger;

/** Builds the root logger; the destination is standard output, and standard error for errors, unless given. */
export function createLogger(
  options: { level: string; service: string; instanceId: string; errorFile?: string | undefined },
  destination?: pino.DestinationStream,
): Logger {
  return pino(
    {
      level: options.level,
      base: { "service.name": options.service, "service.instance.id": options.instanceId },
      messageKey: "message",
      errorKey: "error",
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }), log: redact },
      serializers: { error: (error: unknown) => (error instanceof Error ? serialiseError(error) : error) },
      hooks: {
        logMethod(args, method) {
          method.apply(this, withoutPayload(args));
        },
      },
      mixin: traceFields,
    },
    destination ?? standardOutput(options.errorFile),
  );
}

let root: Logger | undefined;

/** The logger of one part of the process: JSON lines with the ids of the active trace. Declare it once in a module. */
export function logger(name: string): Logger {
  root ??= rootLogger();
  return root.child({ logger: name });
}

function rootLogger(): Logger {
  const { resource, logLevel, logErrorFile } = readTelemetryConfig();
  const { name: service, instanceId } = resource;
  return createLogger({ level: logLevel, service, instanceId, errorFile: logErrorFile });
}

type Arguments = Parameters<pino.LogFn>;

/** An error would lend its message to a line that has none, as it is; texts lose mail addresses and tokens. */
function withoutPayload([first, ...rest]: Arguments): Arguments {
  const texts = rest.map((value) => (typeof value === "string" ? scrub(value) : value)) as string[];
  if (typeof first === "string") return [scrub(first), ...texts];
  const fields = first instanceof Error ? { error: first } : first;
  const isError = typeof fields === "object" && fields !== null && "error" in fields;
  return isError && texts.length === 0 ? [fields, "failed"] : [fields, ...texts];
}

function traceFields(): Record<string, string> {
  const spanContext = trace.getActiveSpan()?.spanContext();
  if (spanContext === undefined || !isSpanContextValid(spanContext)) return {};
  return { trace_id: spanContext.traceId, span_id: spanContext.spanId };
}
