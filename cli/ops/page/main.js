import { byId, element, keep, setText } from "./elements.js";
import { rate, seconds } from "./format.js";
import { showOwnership } from "./ownership.js";
import { openSearch } from "./search.js";
import { showEdges, showInstances, showLeaders, showLimits, showMethods } from "./tables.js";
import { showTopology } from "./topology.js";
import { showTrace } from "./waterfall.js";

const quantile = byId("quantile");
let latest;
let stream;
let silence;

/** The view that the address names: #live, #traces or #trace=ID. */
function route() {
  const hash = location.hash.slice(1);
  const [, traceId] = /^trace=([0-9a-f]{16,32})$/i.exec(hash) ?? [];
  const isTraces = hash === "traces" || traceId !== undefined;
  byId("live").hidden = isTraces;
  byId("traces").hidden = !isTraces;
  byId("search-section").hidden = traceId !== undefined;
  byId("trace").hidden = traceId === undefined;
  byId("to-live").toggleAttribute("aria-current", !isTraces);
  byId("to-traces").toggleAttribute("aria-current", isTraces);
  if (isTraces) stopWatching();
  else watch();
  if (traceId !== undefined) void showTrace(traceId.toLowerCase());
  else if (isTraces) void openSearch();
}

/** One line a second, for as long as this view is looked at. */
function watch() {
  if (stream !== undefined || document.hidden) return;
  stream = new EventSource("/ops/api/stream");
  stream.onmessage = ({ data }) => {
    latest = JSON.parse(data);
    draw();
    setPulse("live", new Date(latest.time).toLocaleTimeString(undefined, { hour12: false }));
    clearTimeout(silence);
    silence = setTimeout(setPulse, 5000, "late", "no news for 5 s");
  };
  stream.onerror = () => {
    clearTimeout(silence);
    setPulse("lost", "connection lost; trying again");
    // A browser tries again by itself after a broken connection, but not after an answer that is no stream.
    if (stream?.readyState !== EventSource.CLOSED) return;
    stopWatching();
    setTimeout(() => byId("live").hidden || watch(), 2000);
  };
}

function stopWatching() {
  stream?.close();
  stream = undefined;
  clearTimeout(silence);
  setPulse("waiting", "paused");
}

function setPulse(state, text) {
  byId("pulse").dataset.state = state;
  setText(byId("pulse-text"), text);
}

function draw() {
  if (latest === undefined) return;
  showFaults(latest.faults);
  showTiles(latest);
  showTopology(byId("topology"), latest, quantile.value);
  showEdges(byId("edges"), latest);
  const moves = showOwnership(byId("groups"), latest);
  if (moves.length > 0) setText(byId("news"), moves.join("; "));
  showInstances(byId("instances"), latest);
  showMethods(byId("methods"), latest);
  showLeaders(byId("leaders"), latest);
  showLimits(byId("limits"), latest);
}

function showFaults(faults) {
  keep(
    byId("faults"),
    faults,
    (fault) => fault,
    (fault) => element("li", {}, fault),
    () => {},
  );
}

function showTiles({ edges, groups, leaders, limits, instances }) {
  const door = edges.find(({ from }) => from === "clients") ?? { rate: 0, errors: 0 };
  const lag = groups.reduce((sum, group) => sum + group.lag, 0);
  const outboxes = leaders.filter(({ work }) => work.startsWith("outbox"));
  const age = Math.max(0, ...outboxes.map(({ ageSeconds }) => ageSeconds));
  const refused = limits.reduce((sum, limit) => sum + limit.rate, 0);
  const ready = instances.filter(({ status }) => status === "ready").length;
  const tiles = [
    ["Requests", `${rate(door.rate)}/s`, ""],
    ["Errors", `${rate(door.errors)}/s`, door.errors > 0 ? "bad" : ""],
    ["p95 at the edge", seconds(door.p95), ""],
    ["Lag of all groups", String(lag), lag > 100 ? "bad" : ""],
    ["Oldest in an outbox", age > 0 ? seconds(age) : "0", age > 2 ? "bad" : ""],
    ["Refused by limits", `${rate(refused)}/s`, refused > 0 ? "warn" : ""],
    ["Instances ready", `${ready} of ${instances.length}`, ready < instances.length ? "warn" : ""],
  ];
  keep(
    byId("tiles"),
    tiles,
    ([title]) => title,
    ([title]) => element("div", {}, element("dt", {}, title), element("dd")),
    (tile, [, value, state]) => {
      setText(tile.lastElementChild, value);
      tile.dataset.state = state;
    },
  );
}

async function showLinks() {
  const response = await fetch("/ops/api/links");
  if (!response.ok) return;
  const { prometheus } = await response.json();
  if (prometheus === undefined) return;
  byId("to-prometheus").href = prometheus;
  byId("to-prometheus").hidden = false;
}

quantile.addEventListener("change", draw);
addEventListener("hashchange", route);
document.addEventListener("visibilitychange", () => {
  if (document.hidden) stopWatching();
  else if (!byId("live").hidden) watch();
});
route();
void showLinks();
