import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { panelExpressions, readExpression, ruleExpressions } from "../../tests/_util/promql.ts";
import { dashboardFiles, dashboards } from "./dashboards.ts";

describe("the dashboards", () => {
  it("are the files that Grafana reads: run `npm run dashboards` after a change", () => {
    const files = dashboardFiles();
    for (const [path, text] of Object.entries(files)) expect(readFileSync(path, "utf8") === text, path).toBe(true);
    const names = Object.keys(files).map((path) => path.split("/").at(-1));
    expect(readdirSync("observability/grafana/dashboards").toSorted()).toEqual(names.toSorted());
  });

  it("are at least eight, each with an address of its own and only panels that ask for something", () => {
    expect(dashboards.length).toBeGreaterThanOrEqual(8);
    expect(new Set(dashboards.map(({ uid }) => uid)).size).toBe(dashboards.length);
    for (const { panels } of dashboards) {
      const titles = panels.map(({ title }) => title);
      expect(new Set(titles).size).toBe(titles.length);
      expect(panels.filter(({ queries }) => queries.length === 0)).toEqual([]);
    }
  });

  it("use no variable that they do not offer", () => {
    for (const { uid, variables = [], panels } of dashboards) {
      const used = panels.flatMap(({ queries }) =>
        queries.flatMap(({ expr }) => [...expr.matchAll(/\$([a-z]+)\b/g)].map(([, name = ""]) => name)),
      );
      expect(new Set(used), uid).toEqual(new Set(variables));
    }
  });
});

describe("every expression", () => {
  it.each([...panelExpressions(), ...ruleExpressions()].map(({ place, expr }) => [place, expr]))(
    "of %s can be read",
    (_place, expr) => {
      expect(readExpression(expr).faults).toEqual([]);
    },
  );

  it("that is broken is found to be so", () => {
    const faults = (expr: string) => readExpression(expr).faults.length;
    expect(faults('sum(rate(a_total{b=~"c"[1m]))')).toBeGreaterThan(0);
    expect(faults("histogram_quantile(0.9, sum by (le) (rate(a_count[1m])))")).toBe(1);
    expect(faults("rate(process_memory_usage[1m])")).toBe(1);
  });
});
