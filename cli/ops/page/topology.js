import { keep, setText, svgElement } from "./elements.js";
import { rate, seconds } from "./format.js";

const box = { width: 112, height: 48 };
const columns = [62, 240, 418, 596, 822, 1040, 1250, 1412];
const rowHeight = 96;

/** Where each place is drawn; services and groups stand below each other. */
function layout(places) {
  const spots = new Map();
  const services = places.filter(({ kind }) => kind === "service");
  const groups = places
    .filter(({ kind }) => kind === "group")
    .sort((a, b) => (b.id === "consumers") - (a.id === "consumers"));
  const rows = Math.max(services.length, groups.length, 4);
  const height = 90 + rows * rowHeight;
  const middle = height / 2 + 12;
  const spread = (count, index) => middle + (index - (count - 1) / 2) * rowHeight;
  for (const [index, { id }] of services.entries()) spots.set(id, { x: columns[4], y: spread(services.length, index) });
  for (const [index, { id }] of groups.entries()) spots.set(id, { x: columns[6], y: spread(groups.length, index) });
  const road = { clients: 0, edge: 1, gateway: 2, mesh: 3 };
  for (const [id, index] of Object.entries(road)) spots.set(id, { x: columns[index], y: middle });
  spots.set("redis", { x: columns[2], y: middle + rowHeight * 1.5 });
  spots.set("postgres", { x: columns[5], y: middle - rowHeight });
  spots.set("kafka", { x: columns[5], y: middle + rowHeight });
  spots.set("mail", { x: columns[7], y: spots.get("group:email")?.y ?? middle });
  return { spots, height, width: columns[7] + 62 };
}

/** Draws the mesh; elements stay the same from picture to picture. */
export function showTopology(svg, { places, edges }, quantile) {
  const { spots, height, width } = layout(places);
  svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
  if (svg.childElementCount === 0)
    svg.append(arrows(), svgElement("g", { id: "ways" }), svgElement("g", { id: "spots" }));
  const drawn = edges.filter(({ from, to }) => spots.has(from) && spots.has(to));
  keep(
    svg.querySelector("#ways"),
    drawn,
    ({ from, to }) => `${from} ${to}`,
    makeEdge,
    (group, edge) => updateEdge(group, edge, spots, quantile),
  );
  const here = places.filter(({ id }) => spots.has(id));
  keep(
    svg.querySelector("#spots"),
    here,
    ({ id }) => id,
    makePlace,
    (group, place) => updatePlace(group, place, spots.get(place.id)),
  );
}

function arrows() {
  const arrow = (id) =>
    svgElement(
      "marker",
      {
        id,
        viewBox: "0 0 8 8",
        refX: 7,
        refY: 4,
        markerWidth: 9,
        markerHeight: 9,
        markerUnits: "userSpaceOnUse",
        orient: "auto",
      },
      svgElement("path", { d: "M0 0.5 8 4 0 7.5z" }),
    );
  return svgElement("defs", {}, arrow("arrow"), arrow("arrow-bad"), arrow("arrow-idle"));
}

function makePlace() {
  const { width, height } = box;
  return svgElement(
    "g",
    { class: "place" },
    svgElement("rect", { x: -width / 2, y: -height / 2, width, height, rx: 8 }),
    svgElement("text", { class: "name", y: -3 }),
    svgElement("text", { class: "note", y: 14 }),
  );
}

function updatePlace(group, { id, kind, title, instances, ready }, { x, y }) {
  group.setAttribute("transform", `translate(${x} ${y})`);
  group.dataset.kind = kind;
  const away = instances !== undefined && ready < instances;
  group.dataset.state = away ? (ready === 0 ? "bad" : "warn") : "";
  const [, name, note] = group.children;
  setText(name, title);
  setText(note, noteOf(id, instances, ready));
}

function noteOf(id, instances, ready) {
  if (instances === undefined) return "";
  if (id.startsWith("group:")) return `group · ${instances} ${instances === 1 ? "member" : "members"}`;
  return `${ready} of ${instances} ready`;
}

function makeEdge() {
  return svgElement(
    "g",
    { class: "edge" },
    svgElement("path", { class: "line" }),
    svgElement("path", { class: "moving" }),
    svgElement("text", { class: "label" }),
    svgElement("text", { class: "label" }),
    svgElement("title"),
  );
}

function updateEdge(group, edge, spots, quantile) {
  const state = edge.errors > 0 ? "bad" : edge.rate > 0 ? "busy" : "idle";
  const { path, label, below } = wayOf(edge, spots.get(edge.from), spots.get(edge.to));
  const [line, moving, words, more, title] = group.children;
  group.dataset.state = state;
  group.dataset.edge = `${edge.from} ${edge.to}`;
  const thick = (1.3 + Math.min(4, Math.log10(1 + edge.rate) * 1.4)).toFixed(1);
  for (const drawn of [line, moving]) {
    drawn.setAttribute("d", path);
    drawn.style.strokeWidth = thick;
  }
  const pace = edge.rate > 200 ? "0.4s" : edge.rate > 20 ? "0.8s" : "1.6s";
  if (moving.style.animationDuration !== pace) moving.style.animationDuration = pace;
  line.setAttribute("marker-end", `url(#arrow${state === "busy" ? "" : `-${state}`})`);
  const [much, time] = wordsOf(edge, quantile);
  place(words, label, below ? much : [much, time].filter((part) => part !== "").join(" · "));
  place(more, { ...label, y: label.y + (below ?? 0) }, below ? time : "");
  setText(title, describe(edge));
}

function place(text, spot, words) {
  for (const [name, value] of Object.entries(spot)) text.setAttribute(name, value);
  setText(text, words);
}

/** How much, and how long it takes. */
function wordsOf(edge, quantile) {
  const much = [
    ...(edge.rate > 0 ? [`${rate(edge.rate)}/s`] : []),
    ...(edge.errors > 0 ? [`${rate(edge.errors)} err/s`] : []),
  ];
  return [much.join(" · "), edge[quantile] > 0 ? seconds(edge[quantile]) : ""];
}

function describe(edge) {
  const counts = `${rate(edge.rate)} ${edge.unit} per second, ${rate(edge.errors)} errors, ${rate(edge.refused)} refused`;
  return `${edge.from} to ${edge.to}: ${counts}, p50 ${seconds(edge.p50)}, p95 ${seconds(edge.p95)}, p99 ${seconds(edge.p99)}`;
}

/** The line of a hop and the place of its words: beside whichever end is its own alone. */
function wayOf(edge, a, b) {
  if (edge.from === "consumers" && edge.to === "mesh") return overTheTop(a, b);
  if (edge.to === "redis") return straightDown(a, b);
  if (b.x < a.x && edge.to === "mesh") return backward(a, b);
  return Math.abs(a.y - b.y) < 2 ? straight(a, b) : forward(edge, a, b);
}

const half = { x: box.width / 2, y: box.height / 2 };

function overTheTop(a, b) {
  const path = `M${a.x} ${a.y - half.y} C${a.x} 2 ${b.x} 2 ${b.x} ${b.y - half.y}`;
  return { path, label: { x: (a.x + b.x) / 2, y: 30, "text-anchor": "middle" } };
}

function straightDown(a, b) {
  const path = `M${a.x} ${a.y + half.y} L${b.x} ${b.y - half.y}`;
  return { path, label: { x: a.x + 8, y: (a.y + b.y) / 2 + 4, "text-anchor": "start" } };
}

function straight(a, b) {
  const side = Math.sign(b.x - a.x);
  const path = `M${a.x + side * half.x} ${a.y} L${b.x - side * half.x} ${b.y}`;
  return { path, label: { x: (a.x + b.x) / 2, y: a.y - 8, "text-anchor": "middle" }, below: 24 };
}

function backward(a, b) {
  const start = { x: a.x - half.x, y: a.y + 10 };
  return {
    path: curve(start, { x: b.x + half.x, y: b.y + 10 }),
    label: { x: start.x - 8, y: start.y + 15, "text-anchor": "end" },
  };
}

function forward({ from, to }, a, b) {
  const shift = { postgres: -10, kafka: 10 }[to] ?? 0;
  const side = Math.sign(b.x - a.x);
  const start = { x: a.x + side * half.x, y: a.y + shift };
  const end = { x: b.x - side * half.x, y: b.y + (from === "mesh" ? -10 : 0) };
  const atEnd = from === "mesh" || from === "kafka";
  const label = atEnd
    ? { x: end.x - 8, y: end.y - 7, "text-anchor": "end" }
    : { x: start.x + side * 7, y: start.y + (to === "kafka" ? 15 : -7), "text-anchor": side > 0 ? "start" : "end" };
  return { path: curve(start, end), label };
}

function curve(start, end) {
  const bend = (end.x - start.x) / 2;
  return `M${start.x} ${start.y} C${start.x + bend} ${start.y} ${end.x - bend} ${end.y} ${end.x} ${end.y}`;
}
