import { defineConfig } from "vitest/config";

const sources = ["kit", "services", "gateway", "consumers", "cli", "observability", "envoy", "tests/_util"];

export default defineConfig({
  test: {
    projects: [
      { test: { name: "unit", include: sources.map((folder) => `${folder}/**/*.test.ts`), testTimeout: 20_000 } },
      { test: { name: "repo", include: ["tests/repo/**/*.test.ts"], testTimeout: 60_000 } },
      {
        test: {
          name: "integration",
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
          include: ["tests/e2e/**/*.test.ts", "tests/chaos/**/*.test.ts", "tests/contract/**/*.test.ts"],
          testTimeout: 600_000,
          hookTimeout: 600_000,
          fileParallelism: false,
        },
      },
    ],
  },
});
