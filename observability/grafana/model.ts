/** One query of a panel. */
export interface Query {
  expr: string;
  /** Name of the line, with labels in braces: "{{rpc_method}}". */
  legend?: string;
}

export type Unit = "s" | "bytes" | "Bps" | "percentunit" | "reqps" | "short" | "ops";

export interface Panel {
  title: string;
  kind: "lines" | "number" | "table";
  unit: Unit;
  queries: readonly Query[];
  /** In twelfths of the width; 6 unless given. */
  width?: number;
  /** From where on a value is worrying. */
  warnAbove?: number;
  /** Shows the exemplars of the buckets that are queried, each a link to its trace. */
  exemplars?: boolean;
}

export type VariableName = "service" | "instance" | "group" | "datname";

export interface Dashboard {
  /** Also the name of its file and of its address in Grafana. */
  uid: string;
  title: string;
  variables?: readonly VariableName[];
  panels: readonly Panel[];
}

/** What a variable offers: values of labels of a closed set only. */
const variables: Readonly<Record<VariableName, string>> = {
  service: "label_values(target_info, service)",
  instance: 'label_values(target_info{service=~"$service"}, instance)',
  group: "label_values(taskmesh_consumer_assigned, messaging_consumer_group_name)",
  datname: "label_values(pg_database_size_bytes, datname)",
};

export function lines(title: string, unit: Unit, queries: readonly Query[], more: Partial<Panel> = {}): Panel {
  return { title, kind: "lines", unit, queries, ...more };
}

export function number(title: string, unit: Unit, expr: string, more: Partial<Panel> = {}): Panel {
  return { title, kind: "number", unit, queries: [{ expr }], width: 3, ...more };
}

export function table(title: string, unit: Unit, expr: string, more: Partial<Panel> = {}): Panel {
  return { title, kind: "table", unit, queries: [{ expr }], ...more };
}

const quantiles = [0.5, 0.95, 0.99] as const;

/** p50, p95 and p99 of a histogram, with its exemplars. `selector` has the braces. */
export function latency(title: string, metric: string, selector = "", by: readonly string[] = []): Panel {
  const queries = quantiles.map((quantile) => ({
    expr: `histogram_quantile(${quantile}, sum by (${["le", ...by].join(", ")}) (rate(${metric}_bucket${selector}[$__rate_interval])))`,
    legend: [`p${quantile * 100}`, ...by.map((label) => `{{${label}}}`)].join(" "),
  }));
  return lines(title, "s", queries, { exemplars: true });
}

const prometheus = { type: "prometheus", uid: "prometheus" };
const types = { lines: "timeseries", number: "stat", table: "table" } as const;
const height = 8;

/** The dashboard as Grafana reads it (schema 39). */
export function render({ uid, title, variables: names = [], panels }: Dashboard): object {
  let [x, y] = [0, 0];
  const placed = panels.map((panel, index) => {
    const width = (panel.width ?? 6) * 2;
    if (x + width > 24) [x, y] = [0, y + height];
    const position = { x, y, w: width, h: height };
    x += width;
    return renderPanel(panel, index + 1, position);
  });
  return {
    uid: `taskmesh-${uid}`,
    title: `Taskmesh / ${title}`,
    tags: ["taskmesh"],
    schemaVersion: 39,
    editable: false,
    refresh: "10s",
    time: { from: "now-30m", to: "now" },
    timezone: "browser",
    links: [{ type: "dashboards", title: "Taskmesh", tags: ["taskmesh"], asDropdown: true, includeVars: true }],
    templating: { list: names.map(renderVariable) },
    panels: placed,
  };
}

function renderPanel(panel: Panel, id: number, gridPos: object): object {
  const { title, kind, unit, queries, warnAbove, exemplars = false } = panel;
  const steps = [
    { color: "green", value: null },
    ...(warnAbove === undefined ? [] : [{ color: "red", value: warnAbove }]),
  ];
  return {
    id,
    title,
    type: types[kind],
    gridPos,
    datasource: prometheus,
    fieldConfig: { defaults: { unit, min: 0, thresholds: { mode: "absolute", steps } }, overrides: [] },
    options: kind === "lines" ? { legend: { displayMode: "list", placement: "bottom" } } : {},
    targets: queries.map(({ expr, legend }, index) => ({
      refId: String.fromCharCode(65 + index),
      datasource: prometheus,
      expr,
      ...(legend && { legendFormat: legend }),
      ...(kind === "lines" ? { range: true, exemplar: exemplars } : { instant: true }),
      ...(kind === "table" && { format: "table" }),
    })),
  };
}

function renderVariable(name: VariableName): object {
  return {
    name,
    type: "query",
    datasource: prometheus,
    query: variables[name],
    definition: variables[name],
    includeAll: true,
    allValue: ".+",
    multi: true,
    current: { text: "All", value: "$__all" },
    refresh: 2,
  };
}
