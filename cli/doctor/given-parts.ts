import { readInfo } from "#kit/redis/info.ts";
import { readLag } from "../lag/read-lag.ts";
import { readServerVersion } from "../runner/db/server-version.ts";
import { isAtLeast, versions } from "../runner/parts/versions.ts";
import type { Settings } from "../runner/settings.ts";
import type { Finding } from "./finding.ts";

/** The parts that the environment gives an address of: whether they answer, are new enough, and have our time. */
export async function checkGivenParts({ external }: Settings): Promise<Finding[]> {
  const { postgres, redis, kafka } = external;
  const findings = await Promise.all([
    postgres === undefined ? [] : checkPostgres(postgres),
    redis === undefined ? [] : checkRedis(redis),
    kafka === undefined ? [] : checkKafka(kafka),
  ]);
  return findings.flat();
}

async function checkPostgres(url: string): Promise<Finding[]> {
  const check = "PostgreSQL (POSTGRES_URL)";
  const version = await readServerVersion(url).catch(() => undefined);
  return [ofVersion(check, version, versions.postgres.minimum)];
}

async function checkRedis(url: string): Promise<Finding[]> {
  const check = "Redis (REDIS_URL)";
  const info = await readInfo(url).catch(() => undefined);
  const version = ofVersion(check, info?.get("redis_version"), versions.redis.minimum);
  if (info === undefined) return [version];
  const seconds = Math.abs(Number(info.get("server_time_usec")) / 1e6 - Date.now() / 1e3);
  const clock: Finding = {
    check: "clock of Redis",
    // Limits go by the clock of Redis, tokens by ours.
    ok: seconds < 2,
    finding: `${seconds.toFixed(1)} s from ours`,
    advice: "set the clock of this machine or of Redis, and let NTP hold both",
  };
  return [version, clock];
}

async function checkKafka(brokers: string): Promise<Finding[]> {
  const answers = await readLag(brokers.split(",")).then(
    () => true,
    () => false,
  );
  return [
    {
      check: "Kafka (KAFKA_BROKERS)",
      ok: answers,
      finding: answers ? "answers" : "does not answer",
      advice: "check the address, and that it may be reached from here",
    },
  ];
}

function ofVersion(check: string, version: string | undefined, minimum: string): Finding {
  if (version === undefined) {
    return { check, ok: false, finding: "does not answer", advice: "check the address, the account and its password" };
  }
  const ok = isAtLeast(version, minimum);
  return { check, ok, finding: version, advice: `it is too old: ${minimum} or newer is needed` };
}
