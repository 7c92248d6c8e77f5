import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { renderEnvExample } from "./env-example.ts";

it("keeps .env.example as the processes read their environment (`npm run env:example` writes it)", () => {
  expect(readFileSync(".env.example", "utf8")).toBe(renderEnvExample());
});
