import { byId, element, setText } from "./elements.js";
import { microseconds, moment } from "./format.js";

const form = byId("search");
const state = byId("search-state");
const [service, operation] = [byId("service"), byId("operation")];
let isOpen = false;

/** Fills the form once, and finds what was sought last. */
export async function openSearch() {
  if (isOpen) return;
  isOpen = await attempt(async () => {
    const names = await ask("/ops/api/services");
    const own = names.filter((name) => !name.startsWith("jaeger"));
    service.replaceChildren(
      ...own.map((name) => element("option", { value: name, selected: name === "gateway" }, name)),
    );
    await loadOperations();
    await find();
  });
}

async function loadOperations() {
  if (service.value === "") return;
  const names = await ask(`/ops/api/operations?${new URLSearchParams({ service: service.value })}`);
  operation.replaceChildren(
    element("option", { value: "" }, "any"),
    ...names.map((name) => element("option", { value: name }, name)),
  );
}

async function find() {
  const tag = form.elements.tag.value.trim();
  if (/^[0-9a-f]{32}$/i.test(tag)) {
    location.hash = `trace=${tag.toLowerCase()}`;
    return;
  }
  setText(state, "Looking …");
  const traces = await ask(`/ops/api/traces?${new URLSearchParams(new FormData(form))}`);
  showFound(traces);
  setText(
    state,
    traces.length === 0 ? "Nothing is like that, in the last 24 hours" : `${traces.length} traces, the newest first`,
  );
}

function showFound(traces) {
  const longest = Math.max(1, ...traces.map(({ duration }) => duration));
  const head = ["began", "what", "took", "", "spans", "errors", "services"].map((title) =>
    element("th", { scope: "col" }, title),
  );
  byId("found").replaceChildren(
    element("caption", { class: "hidden" }, "Traces found"),
    element("thead", {}, element("tr", {}, ...head)),
    element("tbody", {}, ...traces.map((trace) => lineOf(trace, longest))),
  );
}

function lineOf({ traceId, service: name, operation: what, begin, duration, spans, errors, services }, longest) {
  const bar = element("span", { class: "bar-of" });
  bar.style.inlineSize = `${Math.max(1, (duration / longest) * 100)}%`;
  return element(
    "tr",
    { "data-state": errors > 0 && "bad" },
    element("td", {}, moment(begin)),
    element("th", { scope: "row" }, element("a", { href: `#trace=${traceId}` }, `${name} ${what}`)),
    element("td", { class: "number" }, microseconds(duration)),
    element("td", { class: "bar-cell" }, bar),
    element("td", { class: "number" }, String(spans)),
    element("td", { class: "number", "data-state": errors > 0 && "bad" }, String(errors)),
    element("td", {}, services.join(", ")),
  );
}

/** Runs it and says what went wrong; answers whether it went well. */
async function attempt(work) {
  try {
    await work();
    return true;
  } catch (error) {
    byId("found").replaceChildren();
    setText(state, error.message);
    return false;
  }
}

/** JSON of this server; throws what can be shown to a person. */
export async function ask(path) {
  const response = await fetch(path).catch(() => undefined);
  if (response === undefined) throw new Error("The mesh does not answer");
  const body = await response.json().catch(() => ({}));
  if (response.ok) return body;
  if (response.status === 401) throw new Error("Run `npx mesh ops` again: this browser is no longer known");
  if (response.status === 503) throw new Error(`${body.error}: there are no traces to show until it is back`);
  throw new Error(body.field ? `${body.field}: ${body.error}` : (body.error ?? `failed with ${response.status}`));
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  void attempt(find);
});
service.addEventListener("change", () => void attempt(loadOperations));
