import { element, keep, setText } from "./elements.js";
import { bytes, percent, rate, seconds, since } from "./format.js";

/** A table that is brought up to date in place. Columns: heading, what a row shows, and whether it is a number. */
export function showTable(table, { caption, columns, rows, keyOf, none }) {
  if (table.tHead === null) {
    table.append(
      element("caption", { class: "hidden" }, caption),
      element(
        "thead",
        {},
        element(
          "tr",
          {},
          ...columns.map(({ title, number }) => element("th", { scope: "col", class: number && "number" }, title)),
        ),
      ),
      element("tbody"),
    );
  }
  const body = table.tBodies[0];
  const shown = rows.length > 0 ? rows : [undefined];
  const keyed = (row) => (row === undefined ? "none" : keyOf(row));
  keep(
    body,
    shown,
    keyed,
    (row) => makeRow(row, columns, none),
    (line, row) => {
      if (row === undefined) return;
      for (const [index, { show, state }] of columns.entries()) {
        const cell = line.cells[index];
        setText(cell, show(row));
        if (state) cell.dataset.state = state(row) ?? "";
      }
    },
  );
}

function makeRow(row, columns, none) {
  if (row === undefined)
    return element("tr", {}, element("td", { colspan: columns.length, class: "none" }, none ?? "none"));
  const cells = columns.map(({ number }, index) =>
    index === 0 ? element("th", { scope: "row" }) : element("td", { class: number && "number" }),
  );
  return element("tr", {}, ...cells);
}

const number = true;
const bad = (value) => (value > 0 ? "bad" : "");
const flow = [
  { title: "per second", number, show: (row) => rate(row.rate) },
  { title: "errors", number, show: (row) => rate(row.errors), state: (row) => bad(row.errors) },
  { title: "refused", number, show: (row) => rate(row.refused) },
  { title: "p50", number, show: (row) => seconds(row.p50) },
  { title: "p95", number, show: (row) => seconds(row.p95) },
  { title: "p99", number, show: (row) => seconds(row.p99) },
];

export function showEdges(table, { edges, places }) {
  const title = (id) => places.find((place) => place.id === id)?.title ?? id;
  showTable(table, {
    caption: "Every hop with what moves on it",
    columns: [
      { title: "from", show: (edge) => title(edge.from) },
      { title: "to", show: (edge) => title(edge.to) },
      { title: "what", show: (edge) => edge.unit },
      ...flow,
    ],
    rows: edges,
    keyOf: ({ from, to }) => `${from} ${to}`,
  });
}

export function showMethods(table, { methods }) {
  showTable(table, {
    caption: "Calls of the services",
    columns: [{ title: "RPC", show: ({ method }) => method }, ...flow],
    rows: methods,
    keyOf: ({ method }) => method,
    none: "No calls in the last seconds",
  });
}

const states = { ready: "good", stopped: "bad", restarting: "bad", away: "bad" };

export function showInstances(table, { instances, time }) {
  showTable(table, {
    caption: "Every program that runs",
    columns: [
      { title: "instance", show: ({ name }) => name },
      { title: "status", show: ({ status }) => status, state: ({ status }) => states[status] ?? "warn" },
      { title: "up", number, show: ({ startedAt }) => since(startedAt, time) },
      {
        title: "restarts",
        number,
        show: ({ restarts }) => String(restarts ?? "–"),
        state: ({ restarts }) => restarts > 0 && "warn",
      },
      { title: "CPU", number, show: ({ cpu }) => percent(cpu), state: ({ cpu }) => cpu > 0.9 && "warn" },
      { title: "memory", number, show: ({ memoryBytes }) => bytes(memoryBytes) },
      {
        title: "event loop p99",
        number,
        show: ({ loopDelay }) => seconds(loopDelay),
        state: ({ loopDelay }) => loopDelay > 0.1 && "warn",
      },
      { title: "per second", number, show: (row) => (row.rate === undefined ? "–" : rate(row.rate)) },
      {
        title: "errors",
        number,
        show: (row) => (row.errors === undefined ? "–" : rate(row.errors)),
        state: (row) => bad(row.errors),
      },
      { title: "partitions", number, show: ({ partitions }) => String(partitions ?? "–") },
      { title: "streams", number, show: ({ streams }) => String(streams ?? "–") },
      { title: "ended last by", show: ({ fault }) => fault ?? "" },
    ],
    rows: instances,
    keyOf: ({ name }) => name,
  });
}

export function showLeaders(table, { leaders }) {
  showTable(table, {
    caption: "What one instance does for all",
    columns: [
      { title: "what", show: ({ work }) => work },
      {
        title: "done by",
        show: ({ leader }) => leader ?? "nobody",
        state: ({ leader }) => leader === undefined && "bad",
      },
      {
        title: "oldest waits",
        number,
        show: ({ ageSeconds }) => (ageSeconds > 0 ? seconds(ageSeconds) : "0"),
        state: ({ ageSeconds }) => ageSeconds > 2 && "bad",
      },
      { title: "per second", number, show: (row) => rate(row.rate) },
    ],
    rows: leaders,
    keyOf: ({ work }) => work,
  });
}

export function showLimits(table, { limits }) {
  showTable(table, {
    caption: "Calls refused by rate limits",
    columns: [
      { title: "limit", show: ({ limit }) => limit },
      { title: "refused per second", number, show: (row) => rate(row.rate), state: (row) => row.rate > 0 && "warn" },
      { title: "in all", number, show: ({ total }) => String(total) },
    ],
    rows: limits,
    keyOf: ({ limit }) => limit,
    none: "No limit has refused a call",
  });
}
