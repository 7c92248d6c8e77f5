import { defineConfig } from "vitest/config";
import { CountReporter } from "./tests/_util/count-reporter.ts";

const sources = [
  "kit",
  "services",
  "gateway",
  "consumers",
  "cli",
  "clients",
  "observability",
  "envoy",
  "tests/_util",
  "tests/bench",
];

const env = {
  // Faults that a test provokes are no news; a test of the log itself makes its own.
  LOG_LEVEL: "fatal",
  // A machine that is busy with tests is late by itself. Those of overload set a limit of their own.
  OVERLOAD_MIN_CALLS: "500",
};

export default defineConfig({
  test: {
    reporters: ["default", new CountReporter()],
    projects: [
      { test: { name: "unit", env, include: sources.map((folder) => `${folder}/**/*.test.ts`), testTimeout: 20_000 } },
      { test: { name: "repo", include: ["tests/repo/**/*.test.ts"], testTimeout: 60_000 } },
      {
        test: {
          name: "integration",
          env,
          include: ["tests/integration/**/*.test.ts"],
          globalSetup: ["tests/_util/parts.ts"],
          testTimeout: 120_000,
          hookTimeout: 120_000,
          maxWorkers: 2,
        },
      },
      {
        test: {
          name: "mesh",
          include: ["e2e", "chaos", "contract", "telemetry"].map((folder) => `tests/${folder}/**/*.test.ts`),
          testTimeout: 600_000,
          hookTimeout: 600_000,
          fileParallelism: false,
        },
      },
    ],
  },
});
