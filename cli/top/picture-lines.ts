import { span } from "../commands/output.ts";
import type { Edge, Flow, GroupRow, InstanceRow, Picture, TopicRow } from "../ops/picture.ts";
import { type Column, columnLines, cut } from "./columns.ts";
import type { Ink } from "./ink.ts";

const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";

/** A picture of the mesh as lines of a terminal that is `width` columns wide. */
export function pictureLines(picture: Picture, { width, ink }: { width: number; ink: Ink }): string[] {
  const sections = [
    headLines(picture, width, ink),
    headed("HOPS", columnLines(hopsOf(picture), hopColumns(picture, ink), width), ink),
    groupLines(picture, width, ink),
    headed("INSTANCES", columnLines(picture.instances, instanceColumns(picture, ink), width), ink),
    headed("LEADERS", leaderLines(picture, width, ink), ink),
  ];
  return sections.filter((lines) => lines.length > 0).flatMap((lines, index) => (index === 0 ? lines : ["", ...lines]));
}

function headLines(picture: Picture, width: number, ink: Ink): string[] {
  const door = picture.edges.find(({ from }) => from === "clients");
  const lag = picture.groups.reduce((sum, group) => sum + group.lag, 0);
  const refused = picture.limits.reduce((sum, limit) => sum + limit.rate, 0);
  const text = [
    `taskmesh ${picture.time.slice(11, 19)}Z`,
    `${rate(door?.rate ?? 0)} req/s`,
    `${rate(door?.errors ?? 0)} err/s`,
    `p95 ${time(door?.p95)}`,
    `lag ${lag}`,
    `refused ${rate(refused)}/s`,
  ].join(" · ");
  return [ink.bold(cut(text, width).trimEnd()), ...picture.faults.map((fault) => ink.bad(cut(fault, width).trimEnd()))];
}

function headed(title: string, [heading, ...rows]: string[], ink: Ink): string[] {
  return heading === undefined ? [] : [ink.bold(title), ink.faint(heading), ...rows];
}

/** The main road whatever moves on it, the rest only where something does. */
function hopsOf({ edges }: Picture): Edge[] {
  const road = new Set(["clients", "edge", "gateway"]);
  return edges.filter(
    ({ from, to, rate: much, errors }) => much > 0 || errors > 0 || (road.has(from) && to !== "redis"),
  );
}

function hopColumns({ places }: Picture, ink: Ink): Column<Edge>[] {
  const title = (id: string) => places.find((place) => place.id === id)?.title ?? id;
  return [
    { title: "hop", show: ({ from, to }) => `${title(from)} → ${title(to)}` },
    { title: "what", show: ({ unit }) => unit, spare: 3 },
    ...flowColumns<Edge>(ink),
  ];
}

function flowColumns<F extends Flow>(ink: Ink): Column<F>[] {
  return [
    { title: "per s", show: (flow) => rate(flow.rate), number: true },
    { title: "err/s", show: (flow) => rate(flow.errors), number: true, paint: badIf(ink, ({ errors }) => errors > 0) },
    { title: "refused", show: (flow) => rate(flow.refused), number: true, spare: 4 },
    { title: "p50", show: (flow) => time(flow.p50), number: true },
    { title: "p95", show: (flow) => time(flow.p95), number: true },
    { title: "p99", show: (flow) => time(flow.p99), number: true, spare: 1 },
  ];
}

/** Each topic as one letter a partition, and what the letters mean. */
function groupLines({ groups }: Picture, width: number, ink: Ink): string[] {
  const names = [...new Set(groups.flatMap(({ members }) => members))].sort();
  const letterOf = new Map(names.map((name, index) => [name, letters[index % letters.length] as string]));
  const lines = groups.flatMap((group) => linesOfGroup(group, letterOf, ink));
  if (lines.length === 0) return [];
  const key = [...letterOf].map(([name, letter]) => `${letter} ${name}`).join("  ");
  return [ink.bold("GROUPS"), ...lines, ink.faint(cut(`${key}${key === "" ? "" : "  "}? nobody`, width).trimEnd())];
}

function linesOfGroup(group: GroupRow, letterOf: ReadonlyMap<string, string>, ink: Ink): string[] {
  const lag = `lag ${group.lag}`;
  const dead = group.deadLetters > 0 ? `  ${ink.bad(`${group.deadLetters} dead letters`)}` : "";
  const head = `${group.group}  ${group.lag > 100 ? ink.bad(lag) : lag}  ${rate(group.rate)} events/s${dead}`;
  return [head, ...group.topics.map((topic) => `  ${topicText(topic, letterOf, ink)}`)];
}

function topicText({ topic, lag, partitions }: TopicRow, letterOf: ReadonlyMap<string, string>, ink: Ink): string {
  const cells = partitions.map(({ instance, lag: behind }) => {
    const letter = instance === undefined ? "?" : (letterOf.get(instance) ?? "?");
    if (instance === undefined) return ink.bad(letter);
    return behind > 0 ? ink.warn(letter) : letter;
  });
  return `${cut(topic, 28)} ${cells.join("")}${lag > 0 ? `  lag ${lag}` : ""}`;
}

function instanceColumns({ time: now }: Picture, ink: Ink): Column<InstanceRow>[] {
  const isReady = ({ status }: InstanceRow) => status === "ready";
  return [
    { title: "name", show: ({ name }) => name },
    {
      title: "status",
      show: ({ status }) => status,
      paint: (text, row) => (isReady(row) ? ink.good(text) : ink.bad(text)),
    },
    { title: "up", show: (row) => upOf(row, now), number: true, spare: 3 },
    { title: "restarts", show: ({ restarts }) => String(restarts ?? "-"), number: true, spare: 2 },
    { title: "CPU", show: ({ cpu }) => (cpu === undefined ? "-" : `${Math.round(cpu * 100)}%`), number: true },
    { title: "memory", show: ({ memoryBytes }) => mebibytes(memoryBytes), number: true },
    { title: "loop p99", show: ({ loopDelay }) => time(loopDelay), number: true, spare: 1 },
    { title: "per s", show: (row) => (row.rate === undefined ? "-" : rate(row.rate)), number: true },
    {
      title: "err/s",
      show: (row) => (row.errors === undefined ? "-" : rate(row.errors)),
      number: true,
      paint: badIf(ink, ({ errors }) => (errors ?? 0) > 0),
    },
    { title: "parts", show: ({ partitions }) => String(partitions ?? "-"), number: true, spare: 4 },
    { title: "streams", show: ({ streams }) => String(streams ?? "-"), number: true, spare: 5 },
  ];
}

function leaderLines({ leaders }: Picture, width: number, ink: Ink): string[] {
  if (leaders.length === 0) return [];
  return columnLines(
    leaders,
    [
      { title: "what", show: ({ work }) => work },
      { title: "done by", show: ({ leader }) => leader ?? "nobody", paint: badIf(ink, ({ leader }) => !leader) },
      {
        title: "oldest waits",
        show: ({ ageSeconds }) => (ageSeconds > 0 ? time(ageSeconds) : "0"),
        number: true,
        paint: badIf(ink, ({ ageSeconds }) => ageSeconds > 2),
      },
      { title: "per s", show: (row) => rate(row.rate), number: true },
    ],
    width,
  );
}

function badIf<Row>(ink: Ink, isBad: (row: Row) => boolean): (text: string, row: Row) => string {
  return (text, row) => (isBad(row) ? ink.bad(text) : text);
}

function upOf({ startedAt }: InstanceRow, now: string): string {
  return startedAt === undefined ? "-" : span(Math.max(0, Date.parse(now) - Date.parse(startedAt)));
}

function mebibytes(bytes: number | undefined): string {
  return bytes === undefined ? "-" : `${Math.round(bytes / 1_048_576)}M`;
}

function rate(value: number): string {
  if (value === 0) return "0";
  if (value < 0.05) return "<0.1";
  return value < 10 ? value.toFixed(1) : String(Math.round(value));
}

/** Seconds as `3.2ms`, `210ms`, `1.4s`. */
function time(seconds: number | undefined): string {
  if (seconds === undefined) return "-";
  if (seconds < 0.01) return `${(seconds * 1000).toFixed(1)}ms`;
  return seconds < 1 ? `${Math.round(seconds * 1000)}ms` : `${seconds.toFixed(1)}s`;
}
