import assert from "node:assert/strict";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { until } from "../command.ts";
import { checkout } from "../docker.ts";
import type { Stack } from "../stack.ts";

const folder = join(checkout, "observability/grafana/dashboards");

/** Prometheus finds every instance, takes all rules, and has what the dashboards ask for. */
export async function dashboards({ environment }: Stack): Promise<string[]> {
  const ask = async <T>(path: string): Promise<T> => {
    const answer = await fetch(`http://127.0.0.1:${environment.PROMETHEUS_PORT}/api/v1/${path}`);
    const { status, data, error } = (await answer.json()) as { status: string; data: T; error?: string };
    assert.equal(status, "success", error);
    return data;
  };
  const targets = () => ask<{ activeTargets: Target[] }>("targets?state=active").then((data) => data.activeTargets);
  await until("all targets are up", async () => {
    const found = await targets();
    return new Set(found.map(({ labels }) => labels.service)).size >= 8 && found.every(({ health }) => health === "up");
  });
  const { groups } = await ask<{ groups: Group[] }>("rules");
  const rules = groups.flatMap((group) => group.rules);
  await until("all rules are well", async () => {
    const now = await ask<{ groups: Group[] }>("rules");
    return now.groups.every((group) => group.rules.every(({ health }) => health === "ok"));
  });
  const hasData = async (query: string) => {
    const { result } = await ask<Series>(`query?query=${encodeURIComponent(query)}`);
    return result.length > 0;
  };
  const [rateOfCalls = ""] = await queriesOf("rpcs.json");
  await until("the rate of calls is known", () => hasData(rateOfCalls));
  const lines = [
    `${(await targets()).length} targets are up: ${[...new Set((await targets()).map(({ labels }) => labels.service))].join(", ")}`,
    `${rules.length} rules in ${groups.length} groups are loaded and well`,
  ];
  for (const name of (await readdir(folder)).sort()) {
    const queries = await queriesOf(name);
    let withData = 0;
    for (const query of queries) if (await hasData(query)) withData += 1;
    assert.ok(withData > 0, `no panel of ${name} has data`);
    lines.push(`dashboard ${name.replace(".json", "")}: ${withData} of ${queries.length} queries have data`);
  }
  return lines;
}

/** The queries of a dashboard, as Grafana asks them when all of each variable is chosen. */
async function queriesOf(name: string): Promise<string[]> {
  const dashboard = JSON.parse(await readFile(join(folder, name), "utf8")) as Dashboard;
  return dashboard.panels
    .flatMap(({ targets = [] }) => targets.map(({ expr }) => expr))
    .map((expr) => expr.replaceAll("$__rate_interval", "1m").replaceAll("$__range", "5m").replace(/\$\w+/g, ".*"));
}

interface Dashboard {
  panels: { targets?: { expr: string }[] }[];
}
interface Target {
  health: string;
  labels: { service?: string };
}
interface Group {
  rules: { health: string }[];
}
interface Series {
  result: unknown[];
}
