import { copyFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { UserError } from "../../user-error.ts";
import type { ProcessSpec, RunningPart } from "../process-spec.ts";
import { httpAnswers } from "../wire-probe.ts";
import { cachedFolder, fillCache, privateFolder } from "./cache.ts";
import { findOnMachine, isExecutable, type Program, type Progress, runTool } from "./program.ts";
import { startPart } from "./start-part.ts";
import { pinsFolder, versions } from "./versions.ts";

const pin = versions.jaeger;
const cacheName = `jaeger-${pin.fetched}`;
const command = "github.com/jaegertracing/jaeger/cmd/jaeger";

export type JaegerOptions = {
  dataDir: string;
  queryPort: number;
  queryGrpcPort: number;
  otlpHttpPort: number;
  otlpGrpcPort: number;
  healthPort: number;
  /** Traces beyond this number push out the oldest. */
  maxTraces?: number;
  logFile: string;
};

export function addressFromEnvironment(): string | undefined {
  return process.env.OTEL_EXPORTER_OTLP_ENDPOINT || undefined;
}

export async function locate(): Promise<Program | undefined> {
  const path = await findOnMachine("jaeger", ["/opt/homebrew/bin", "/usr/local/bin"]);
  if (path !== undefined) return { path, version: pin.minimum, source: "machine" };
  const built = join(cachedFolder(cacheName), "jaeger");
  return (await isExecutable(built)) ? { path: built, version: pin.fetched, source: "cache" } : undefined;
}

/** What to do when there is neither Jaeger nor Go. */
export const howToGetIt =
  "there is no Jaeger and no Go to build it with: install Go 1.25 or newer, or set OTEL_EXPORTER_OTLP_ENDPOINT";

export async function canBeBuilt(): Promise<boolean> {
  return (await findGo()) !== undefined;
}

function findGo(): Promise<string | undefined> {
  return findOnMachine("go", ["/usr/local/go/bin", "/opt/homebrew/bin"]);
}

/** Builds Jaeger from its Go module at low priority; takes minutes, so nobody should wait for it. */
export async function fetch(progress: Progress, signal?: AbortSignal): Promise<Program> {
  const go = await findGo();
  if (go === undefined) throw new UserError(howToGetIt);
  progress(`Jaeger: building ${pin.fetched} in the background (3 to 10 minutes, once for all checkouts)`);
  const folder = await fillCache(cacheName, async (draft) => {
    for (const file of ["go.mod", "go.sum"]) await copyFile(join(pinsFolder, "jaeger", file), join(draft, file));
    const flags = ["-mod=readonly", "-trimpath", "-ldflags=-s -w", "-o", "jaeger"];
    await runTool(go, ["build", ...flags, command], {
      cwd: draft,
      env: { GOWORK: "off", GOFLAGS: "", GONOSUMDB: "*", CGO_ENABLED: "0" },
      nice: true,
      signal,
    });
  });
  return { path: join(folder, "jaeger"), version: pin.fetched, source: "cache" };
}

/** Jaeger with its traces in memory, on the loopback address. */
export async function describe(program: Program, options: JaegerOptions): Promise<ProcessSpec> {
  await privateFolder(options.dataDir);
  const configFile = join(options.dataDir, "jaeger.json");
  await writeFile(configFile, JSON.stringify(configuration(options), undefined, 2), { mode: 0o600 });
  return {
    name: "jaeger",
    command: program.path,
    args: ["--config", `file:${configFile}`],
    env: { GOMEMLIMIT: "512MiB", GOMAXPROCS: "1" },
    background: true,
    logFile: options.logFile,
    stopSignal: "SIGTERM",
    stopGrace: 10_000,
    startTimeout: 30_000,
    probe: () => httpAnswers(`http://127.0.0.1:${options.healthPort}/status`),
  };
}

export async function start(options: JaegerOptions, progress: Progress = () => {}): Promise<RunningPart> {
  const program = (await locate()) ?? (await fetch(progress));
  return startPart(await describe(program, options), `http://127.0.0.1:${options.queryPort}`);
}

/** The configuration of an OpenTelemetry Collector whose storage is Jaeger's; JSON is YAML too. */
function configuration(options: JaegerOptions): object {
  const local = (port: number) => ({ endpoint: `127.0.0.1:${port}` });
  return {
    service: {
      extensions: ["jaeger_storage", "jaeger_query", "healthcheckv2"],
      pipelines: { traces: { receivers: ["otlp"], processors: ["batch"], exporters: ["jaeger_storage_exporter"] } },
      telemetry: { metrics: { level: "none" }, logs: { level: "warn" } },
    },
    extensions: {
      jaeger_storage: { backends: { memory: { memory: { max_traces: options.maxTraces ?? 20_000 } } } },
      jaeger_query: {
        storage: { traces: "memory" },
        http: local(options.queryPort),
        grpc: local(options.queryGrpcPort),
      },
      healthcheckv2: { use_v2: true, http: local(options.healthPort) },
    },
    receivers: { otlp: { protocols: { grpc: local(options.otlpGrpcPort), http: local(options.otlpHttpPort) } } },
    processors: { batch: { timeout: "200ms", send_batch_size: 2048 } },
    exporters: { jaeger_storage_exporter: { trace_storage: "memory" } },
  };
}
