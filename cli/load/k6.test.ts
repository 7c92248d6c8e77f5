import { execFileSync } from "node:child_process";
import { expect, test } from "vitest";
import { openApiDocument } from "../../gateway/openapi/document.ts";
import { meshServices } from "../../gateway/services.ts";

interface Recorded {
  calls: { method: string; url: string; body?: Record<string, unknown> }[];
  failed: string[];
  options: { scenarios: Record<string, Record<string, unknown>> };
}

const recorded: Recorded = JSON.parse(
  execFileSync(process.execPath, ["tests/load/k6-stand-in.mjs"], { encoding: "utf8", maxBuffer: 16 << 20 }),
);
const { paths } = openApiDocument(Object.values(meshServices), { version: "0" });

/** The operation of /openapi.json that a call is of. */
function operationOf({ method, url }: Recorded["calls"][number]): string | undefined {
  const { pathname } = new URL(url);
  const template = Object.keys(paths).find((path) => {
    const pattern = path.replace(/[.*+?^$()|[\]\\]/g, "\\$&").replace(/\{[^}]+\}/g, "[^/:]+");
    return new RegExp(`^${pattern}$`).test(pathname);
  });
  const item = template && (paths[template] as Record<string, { operationId?: string }>);
  return item ? item[method]?.operationId : undefined;
}

test("the script for k6 makes the calls of `mesh load`, all of them described by /openapi.json [mesh.08]", () => {
  expect(recorded.calls.filter((call) => operationOf(call) === undefined)).toEqual([]);
  expect(new Set(recorded.calls.map(operationOf))).toEqual(
    new Set([
      "AuthService_Register",
      "TaskService_CreateTask",
      "TaskService_GetTask",
      "TaskService_ListTasks",
      "TaskService_UpdateTask",
      "TaskService_CompleteTask",
      "TaskService_ShareTask",
      "TaskService_CreateComment",
    ]),
  );
  expect(recorded.failed).toEqual([]);
});

test("it takes the same phases, one after the other, by arrival", () => {
  const { phase_1: first, phase_2: second } = recorded.options.scenarios;
  expect(first).toMatchObject({ executor: "constant-arrival-rate", rate: 100, duration: "300s", startTime: "0s" });
  expect(second).toMatchObject({ executor: "constant-arrival-rate", rate: 200, duration: "600s", startTime: "300s" });
});
