import { byId, element, setText } from "./elements.js";
import { microseconds, moment } from "./format.js";
import { ask } from "./search.js";

const table = byId("waterfall");
let rows = [];

table.setAttribute("role", "treegrid");
table.setAttribute("aria-label", "Spans, each under its caller");

/** Shows one trace as a tree with bars. */
export async function showTrace(traceId) {
  const state = byId("trace-state");
  rows = [];
  table.replaceChildren();
  byId("trace-facts").replaceChildren();
  byId("span").replaceChildren(element("p", {}, "Choose a span to see its attributes."));
  setText(byId("trace-title"), `Trace ${traceId}`);
  setText(state, "Loading …");
  try {
    const trace = await ask(`/ops/api/traces/${traceId}`);
    setText(state, "");
    draw(trace);
  } catch (error) {
    setText(state, error.message);
  }
}

function draw(trace) {
  const waits = trace.spans.filter(({ wait }) => wait).reduce((sum, { own }) => sum + own, 0);
  const work = trace.spans.filter(({ wait }) => !wait).reduce((sum, { own }) => sum + own, 0);
  const failed = trace.spans.filter((span) => span.failed).length;
  const facts = [
    ["Began", moment(trace.begin), ""],
    ["From begin to end", microseconds(trace.duration), ""],
    ["Work of all spans", microseconds(work), ""],
    ["Waits", microseconds(waits), ""],
    ["Spans", String(trace.spans.length), ""],
    ["Services", String(trace.services.length), ""],
    ["Failed", String(failed), failed > 0 ? "bad" : ""],
  ];
  byId("trace-facts").replaceChildren(
    ...facts.map(([title, value, state]) =>
      element("div", { "data-state": state }, element("dt", {}, title), element("dd", {}, value)),
    ),
  );
  const hues = new Map(trace.services.map((service, index) => [service, (index * 137 + 215) % 360]));
  rows = trace.spans.map((span, index) => ({ span, index, isOpen: true, line: lineOf(span, index, trace, hues) }));
  table.replaceChildren(
    element(
      "thead",
      {},
      element(
        "tr",
        {},
        element("th", { scope: "col" }, "span"),
        element("th", { scope: "col", class: "number" }, "took"),
        element("th", { scope: "col", class: "times" }, scaleOf(trace.duration)),
      ),
    ),
    element("tbody", {}, ...rows.map(({ line }) => line)),
  );
  if (rows[0] !== undefined) rows[0].line.tabIndex = 0;
}

function scaleOf(duration) {
  const marks = [0, 0.25, 0.5, 0.75, 1].map((share) => element("span", {}, microseconds(duration * share)));
  return element("span", { class: "scale" }, ...marks);
}

function lineOf(span, index, { spans, duration }, hues) {
  const hasChildren = (spans[index + 1]?.depth ?? 0) > span.depth;
  const name = element(
    "th",
    { scope: "row", role: "rowheader" },
    element("span", { class: "toggle", "aria-hidden": true }, hasChildren ? "▾" : ""),
    element("span", { class: "service" }, span.service),
    " ",
    element("span", { class: "operation" }, span.operation),
  );
  name.style.paddingInlineStart = `${Math.min(span.depth, 24) * 0.9 + 0.3}rem`;
  name.title = `${span.service} ${span.operation}`;
  const line = element(
    "tr",
    {
      role: "row",
      tabindex: -1,
      "aria-level": span.depth + 1,
      "aria-expanded": hasChildren ? "true" : undefined,
      "data-state": span.failed && "bad",
      "data-wait": span.wait,
    },
    name,
    element("td", { class: "number", role: "gridcell" }, microseconds(span.duration)),
    element("td", { class: "times", role: "gridcell" }, barOf(span, duration)),
  );
  line.dataset.index = String(index);
  line.style.setProperty("--hue", String(hues.get(span.service) ?? 0));
  return line;
}

/** The whole bar is the span; its dark part is the share in which it worked itself. */
function barOf({ offset, duration, own }, whole) {
  const bar = element("span", { class: "time" }, element("span", { class: "own" }));
  bar.style.insetInlineStart = `${(offset / whole) * 100}%`;
  bar.style.inlineSize = `max(2px, ${(duration / whole) * 100}%)`;
  bar.firstElementChild.style.inlineSize = `${duration === 0 ? 100 : (own / duration) * 100}%`;
  return bar;
}

function choose(index) {
  const { span, line } = rows[index];
  for (const other of table.querySelectorAll("[aria-selected]")) other.removeAttribute("aria-selected");
  for (const other of table.querySelectorAll("tbody [tabindex='0']")) other.tabIndex = -1;
  line.setAttribute("aria-selected", "true");
  line.tabIndex = 0;
  line.focus();
  byId("span").replaceChildren(...detailsOf(span));
}

function detailsOf(span) {
  const pairs = (attributes) =>
    element(
      "table",
      { class: "attributes" },
      element(
        "tbody",
        {},
        ...attributes.map(([key, value]) =>
          element("tr", {}, element("th", { scope: "row" }, key), element("td", {}, value)),
        ),
      ),
    );
  const times = `${microseconds(span.duration)}, of which ${microseconds(span.own)} ${span.wait ? "waiting" : "its own work"}; from ${microseconds(span.offset)}`;
  const events = span.events.flatMap(({ offset, attributes }) => [
    element("h4", {}, `at ${microseconds(offset)}`),
    pairs(attributes),
  ]);
  return [
    element("h3", {}, `${span.service} ${span.operation}`),
    element("p", { "data-state": span.failed && "bad" }, span.failed ? `Failed. ${times}` : times),
    pairs([["span id", span.spanId], ...span.attributes]),
    ...events,
  ];
}

/** Shows or hides what is below a span. */
function fold(index, isOpen) {
  const row = rows[index];
  if (!row.line.hasAttribute("aria-expanded")) return;
  row.isOpen = isOpen;
  row.line.setAttribute("aria-expanded", String(isOpen));
  setText(row.line.querySelector(".toggle"), isOpen ? "▾" : "▸");
  let hiddenBelow = isOpen ? Infinity : row.span.depth;
  for (let next = index + 1; next < rows.length && rows[next].span.depth > row.span.depth; next++) {
    const { span, line, isOpen: isNextOpen } = rows[next];
    if (span.depth <= hiddenBelow) hiddenBelow = Infinity;
    line.hidden = span.depth > hiddenBelow;
    if (!line.hidden && !isNextOpen) hiddenBelow = span.depth;
  }
}

function step(index, by) {
  let next = index + by;
  while (rows[next]?.line.hidden) next += by;
  if (rows[next] !== undefined) choose(next);
}

function parentOf(index) {
  const { depth } = rows[index].span;
  let above = index - 1;
  while (above >= 0 && rows[above].span.depth >= depth) above--;
  return above;
}

const keys = {
  ArrowDown: (index) => step(index, 1),
  ArrowUp: (index) => step(index, -1),
  Home: () => choose(0),
  End: () => step(rows.length, -1),
  Enter: (index) => choose(index),
  " ": (index) => choose(index),
  ArrowLeft: (index) => {
    if (rows[index].isOpen && rows[index].line.getAttribute("aria-expanded") === "true") fold(index, false);
    else if (parentOf(index) >= 0) choose(parentOf(index));
  },
  ArrowRight: (index) => {
    if (rows[index].isOpen) step(index, 1);
    else fold(index, true);
  },
};

table.addEventListener("click", ({ target }) => {
  const line = target.closest("tbody tr");
  if (line === null) return;
  const index = Number(line.dataset.index);
  if (target.closest(".toggle")) fold(index, !rows[index].isOpen);
  else choose(index);
});
table.addEventListener("keydown", (event) => {
  const line = event.target.closest("tbody tr");
  const act = line && keys[event.key];
  if (!act) return;
  event.preventDefault();
  act(Number(line.dataset.index));
});
