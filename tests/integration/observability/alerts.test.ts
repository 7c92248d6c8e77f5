import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { parse } from "yaml";
import * as prometheus from "../../../cli/runner/parts/prometheus.ts";
import { alertCases, ruleTests } from "./alert-cases.ts";

interface Rules {
  groups: { rules: { alert: string; annotations: Record<string, string>; labels: { severity: string } }[] }[];
}

const folder = resolve("observability/prometheus/rules");
let temporary: string;
let promtool: string;

beforeAll(async () => {
  temporary = await mkdtemp(join(tmpdir(), "taskmesh-rules-"));
  const program = (await prometheus.locate()) ?? (await prometheus.fetch(() => {}));
  promtool = join(dirname(program.path), "promtool");
});
afterAll(() => rm(temporary, { recursive: true, force: true }));

async function run(rulesFolder: string, cases = alertCases): Promise<string> {
  const file = join(temporary, "tests.json");
  await writeFile(file, ruleTests(rulesFolder, cases));
  const ended = await promisify(execFile)(promtool, ["test", "rules", file], { maxBuffer: 8 << 20 }).catch(
    (error: { stdout: string; stderr: string }) => error,
  );
  return `${ended.stdout}${ended.stderr}`;
}

describe("the alerts", () => {
  it("fire above their thresholds and are quiet below them, as Prometheus computes them [003.01]", async () => {
    expect(await run(folder)).toMatch(/SUCCESS\s*$/);
  });

  it("that fire at another threshold are found", async () => {
    for (const [alert, file, before, after] of [
      ["RedisMemoryHigh", "alerts.yml", "> 400 * 1024 * 1024", "> 405 * 1024 * 1024"],
      ["LatencyBudgetBurnsFast", "recording.yml", 'le="0.5"', 'le="0.25"'],
    ] as const) {
      for (const name of ["alerts.yml", "recording.yml"]) {
        const text = await readFile(join(folder, name), "utf8");
        await writeFile(join(temporary, name), name === file ? text.replaceAll(before, after) : text);
      }
      const cases = alertCases.filter((one) => one.alert === alert);
      expect(await run(temporary, cases), alert).toContain("FAILED");
    }
  });

  it("say what is wrong and what to do, and how urgent it is", async () => {
    const { groups } = parse(await readFile(join(folder, "alerts.yml"), "utf8")) as Rules;
    const alerts = groups.flatMap(({ rules }) => rules);
    for (const { alert, annotations, labels } of alerts) {
      expect(annotations.summary?.length, alert).toBeGreaterThan(10);
      expect(annotations.action?.length, alert).toBeGreaterThan(30);
      expect(["page", "ticket"], alert).toContain(labels.severity);
    }
    const untested = alerts.map(({ alert }) => alert).filter((name) => !alertCases.some(({ alert }) => alert === name));
    expect(untested).toEqual(["CallsOverflow", "EventsTooOld"]);
  });
});
