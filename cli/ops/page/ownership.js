import { element, keep, setText } from "./elements.js";
import { rate } from "./format.js";

const nobody = "nobody";
/** Which instance owned which partition in the picture before. */
const before = new Map();

/** The grid of each group. Answers with what moved, in words. */
export function showOwnership(container, { groups }) {
  keep(container, groups, ({ group }) => group, makeGroup, updateGroup);
  return groups.flatMap(movesOf);
}

function movesOf({ group, topics }) {
  let moves = 0;
  for (const { topic, partitions } of topics) {
    for (const { partition, instance } of partitions) {
      const key = `${group} ${topic} ${partition}`;
      const owner = instance ?? nobody;
      if (before.has(key) && before.get(key) !== owner) moves++;
      before.set(key, owner);
    }
  }
  return moves === 0 ? [] : [`${group}: ${moves} partitions changed hands`];
}

function makeGroup({ group }) {
  return element(
    "article",
    { class: "group" },
    element("h3", {}, group, element("span", { class: "facts" })),
    element(
      "div",
      { class: "scroll" },
      element(
        "table",
        { class: "grid" },
        element("caption", { class: "hidden" }, `Partitions of ${group}, by instance`),
        element("thead"),
        element("tbody"),
      ),
    ),
  );
}

function updateGroup(article, { group, lag, members, topics, rate: events, errors, deadLetters }) {
  const facts = article.querySelector(".facts");
  const failed = errors > 0 ? ` · ${rate(errors)} failed/s` : "";
  const dead = deadLetters > 0 ? ` · ${deadLetters} dead letters: mesh dlq list ${group}` : "";
  setText(facts, `lag ${lag} · ${rate(events)} events/s${failed}${dead}`);
  facts.dataset.state = lag > 100 || errors > 0 || deadLetters > 0 ? "bad" : "";
  const table = article.querySelector("table");
  showHead(table.tHead, topics);
  const columns = topics.flatMap(({ topic, partitions }) =>
    partitions.map((one, index) => ({ ...one, topic, first: index === 0 })),
  );
  const isOrphaned = columns.some(({ instance }) => instance === undefined);
  const rows = [...members, ...(isOrphaned ? [nobody] : [])];
  keep(
    table.tBodies[0],
    rows,
    (row) => row,
    (row) => element("tr", {}, element("th", { scope: "row", "data-key": "name" }, row)),
    (line, row) => {
      line.dataset.state = row === nobody ? "bad" : "";
      keep(
        line,
        [undefined, ...columns],
        (cell) => (cell ? `${cell.topic} ${cell.partition}` : "name"),
        () => element("td"),
        (cell, column) => column !== undefined && showCell(cell, column, { group, row }),
      );
    },
  );
}

function showHead(head, topics) {
  const shape = topics.map(({ topic, partitions }) => `${topic} ${partitions.length}`).join();
  if (head.dataset.shape !== shape) {
    head.dataset.shape = shape;
    const numbers = topics.flatMap(({ partitions }) =>
      partitions.map(({ partition }, index) =>
        element("th", { scope: "col", class: index === 0 && "first" }, String(partition)),
      ),
    );
    head.replaceChildren(
      element(
        "tr",
        {},
        element("td"),
        ...topics.map(({ partitions }) =>
          element("th", { scope: "colgroup", colspan: partitions.length, class: "topic" }),
        ),
      ),
      element("tr", {}, element("th", { scope: "col" }, "instance"), ...numbers),
    );
  }
  for (const [index, { topic, lag }] of topics.entries())
    setText(head.rows[0].cells[index + 1], lag > 0 ? `${topic} · lag ${lag}` : topic);
}

function showCell(cell, { topic, partition, instance, lag, first }, { group, row }) {
  const owner = instance ?? nobody;
  const owned = owner === row;
  const key = `${group} ${topic} ${partition}`;
  const came = owned && before.has(key) && before.get(key) !== owner;
  cell.className = first ? "first" : "";
  const state = !owned ? "" : owner === nobody ? "lost" : lag > 0 ? "late" : "own";
  cell.dataset.state = state;
  if (came) cell.dataset.came = "";
  else delete cell.dataset.came;
  setText(cell, !owned ? "" : lag > 0 ? String(lag) : "●");
  if (owned) cell.title = `${topic} ${partition}: ${owner}, lag ${lag}`;
  else cell.removeAttribute("title");
}
