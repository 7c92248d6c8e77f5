import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { copyFile, readdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { UserError } from "../../user-error.ts";
import type { ProcessSpec, RunningPart } from "../process-spec.ts";
import { kafkaAnswers } from "../wire-probe.ts";
import { cachedFolder, exists, fillCache, privateFolder } from "./cache.ts";
import * as java from "./java.ts";
import { findOnMachine, type Program, type Progress, runTool } from "./program.ts";
import { startPart } from "./start-part.ts";
import { isAtLeast, pinsFolder, versions } from "./versions.ts";

const pin = versions.kafka;
const cacheName = `kafka-${pin.fetched}`;
const copyDependencies = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies";
// The first compiler alone: it is up a second sooner, and on two cores that all parts share it takes less from them.
const heap = ["-Xms128m", "-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Djava.awt.headless=true"];
const run = promisify(execFile);

export type KafkaOptions = {
  dataDir: string;
  port: number;
  controllerPort: number;
  /** Where clients are told to go, when something stands before the broker. */
  advertisedPort?: number | undefined;
  logFile: string;
};
export type KafkaProgram = Program & { java: string };

export function addressFromEnvironment(): string | undefined {
  return process.env.KAFKA_BROKERS || undefined;
}

/** The folder with Kafka's jars (`path`) and the Java to run them with: KAFKA_HOME, or the fetched copy. */
export async function locate(): Promise<KafkaProgram | undefined> {
  const runtime = await java.locate();
  if (runtime === undefined) return undefined;
  const home = process.env.KAFKA_HOME && join(process.env.KAFKA_HOME, "libs");
  const version = home && (await versionOfJars(home));
  if (home && version && isAtLeast(version, pin.minimum)) {
    return { path: home, version, source: "machine", java: runtime.path };
  }
  const libs = join(cachedFolder(cacheName), "libs");
  return (await exists(libs)) ? { path: libs, version: pin.fetched, source: "cache", java: runtime.path } : undefined;
}

export async function fetch(progress: Progress): Promise<KafkaProgram> {
  const found = await java.locate();
  // Maven runs on Java too: on the fetched one when the machine has none.
  const runtime = found ?? (await java.fetch(progress));
  const folder = await fetchJars(
    progress,
    found?.source === "machine" ? {} : { JAVA_HOME: dirname(dirname(runtime.path)) },
  );
  return { path: join(folder, "libs"), version: pin.fetched, source: "cache", java: runtime.path };
}

async function fetchJars(progress: Progress, env: Record<string, string>): Promise<string> {
  if (await exists(cachedFolder(cacheName))) return cachedFolder(cacheName);
  const maven = await findOnMachine("mvn");
  if (maven === undefined) {
    throw new UserError(
      "Kafka is fetched with Maven, and there is no mvn: install it (`apt-get install maven` or `brew install maven`), or set KAFKA_BROKERS or KAFKA_HOME",
    );
  }
  progress(`Kafka: fetching ${pin.fetched} from Maven Central (92 jars, 54 MB)`);
  return fillCache(cacheName, async (draft) => {
    const pom = join(draft, "pom.xml");
    await copyFile(join(pinsFolder, "kafka/pom.xml"), pom);
    await runTool(
      maven,
      [copyDependencies, "-q", "-B", "-f", pom, "-DincludeScope=runtime", "-DoutputDirectory=libs"],
      { env },
    );
  });
}

/** One broker that is its own controller, on the loopback address; formats its data folder the first time. */
export async function describe(program: KafkaProgram, options: KafkaOptions): Promise<ProcessSpec> {
  await privateFolder(options.dataDir);
  const config = join(options.dataDir, "server.properties");
  const classpath = ["-cp", `${pinsFolder}kafka:${program.path}/*`];
  await writeFile(config, serverProperties(options), { mode: 0o600 });
  return {
    name: "kafka",
    command: program.java,
    args: [...heap, ...classpath, "kafka.Kafka", config],
    env: {},
    logFile: options.logFile,
    stopSignal: "SIGTERM",
    stopGrace: 15_000,
    startTimeout: 60_000,
    beforeStart: async () => {
      if (await exists(join(options.dataDir, "log/meta.properties"))) return;
      const id = randomBytes(16).toString("base64url");
      // As one word: an id may begin with a dash, and as a word of its own it would then be read as an option.
      const format = ["kafka.tools.StorageTool", "format", `--cluster-id=${id}`, "-c", config];
      await run(program.java, ["-Xmx128m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", ...classpath, ...format]);
    },
    probe: () => kafkaAnswers("127.0.0.1", options.port),
  };
}

export async function start(options: KafkaOptions, progress: Progress = () => {}): Promise<RunningPart> {
  const program = (await locate()) ?? (await fetch(progress));
  return startPart(await describe(program, options), `127.0.0.1:${options.port}`);
}

function serverProperties(options: KafkaOptions): string {
  const settings: Record<string, string | number | boolean> = {
    "process.roles": "broker,controller",
    "node.id": 1,
    "controller.quorum.voters": `1@127.0.0.1:${options.controllerPort}`,
    listeners: `PLAINTEXT://127.0.0.1:${options.port},CONTROLLER://127.0.0.1:${options.controllerPort}`,
    "advertised.listeners": `PLAINTEXT://127.0.0.1:${options.advertisedPort ?? options.port}`,
    "controller.listener.names": "CONTROLLER",
    "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
    "log.dirs": join(options.dataDir, "log"),
    "auto.create.topics.enable": false,
    "num.partitions": 12,
    "default.replication.factor": 1,
    "offsets.topic.replication.factor": 1,
    "offsets.topic.num.partitions": 4,
    "transaction.state.log.replication.factor": 1,
    "transaction.state.log.min.isr": 1,
    "transaction.state.log.num.partitions": 4,
    "share.coordinator.state.topic.replication.factor": 1,
    "share.coordinator.state.topic.min.isr": 1,
    "share.coordinator.state.topic.num.partitions": 1,
    "group.initial.rebalance.delay.ms": 0,
    "group.min.session.timeout.ms": 2000,
    // After SIGKILL the broker is let in again once its former session is over.
    "broker.session.timeout.ms": 2000,
    "broker.heartbeat.interval.ms": 500,
    "num.network.threads": 2,
    "num.io.threads": 4,
    "log.segment.bytes": 134_217_728,
    "log.index.size.max.bytes": 1_048_576,
    "log.cleaner.dedupe.buffer.size": 16_777_216,
    "log.retention.hours": 168,
  };
  return Object.entries(settings)
    .map(([name, value]) => `${name}=${value}\n`)
    .join("");
}

async function versionOfJars(libs: string): Promise<string | undefined> {
  const names = await readdir(libs).catch(() => []);
  return names.map((name) => /^kafka_2\.13-([\d.]+)\.jar$/.exec(name)?.[1]).find((version) => version !== undefined);
}
