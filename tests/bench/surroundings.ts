import { databases } from "../../cli/topology.ts";

/** Addresses by which a mesh would take parts of others. */
const foreign = ["POSTGRES_URL", "REDIS_URL", "KAFKA_BROKERS", "OTEL_EXPORTER_OTLP_ENDPOINT", "SMTP_URL", "MESH_HOME"];

/** The bench runs on parts of its own, whatever the shell says, and no limit is in its way: one caller is its whole load, and keeps it full. */
export function useOwnPartsOnly(): void {
  for (const name of [...foreign, ...databases.map((database) => `${database.toUpperCase()}_DB_URL`)]) {
    delete process.env[name];
  }
  process.env.RATE_LIMIT_SCALE = "1000000";
  // A mesh that is kept full is always late.
  process.env.OVERLOAD_MIN_CALLS = "1000";
}
