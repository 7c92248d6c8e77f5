import { type AttributeDescription, attributeRegistry } from "#observability/attributes.ts";
import type { AttributeName } from "#observability/names.ts";
import { envoySpanAttributes, spanShapes } from "#observability/span-shapes.ts";
import type { ExpectedSpan } from "./expected.ts";
import type { OtlpSpan, OtlpValue } from "./jaeger-spans.ts";

/** Fetched once and then kept in memory, or made with a new connection: there now and then. */
const passing: Record<string, readonly string[]> = {
  auth: ["SELECT pg_database", "SELECT signing_key"],
  user: ["SELECT pg_database"],
  task: ["SELECT pg_database"],
  notification: ["SELECT pg_database"],
  consumers: ["SELECT pg_database", "SELECT parked_key"],
};

/** Where a trace is not what was declared: one line for each fault, none when all is as it should be. */
export function differences(expected: ExpectedSpan, spans: readonly OtlpSpan[], parentSpanId: string): string[] {
  const known = new Set(spans.map(({ spanId }) => spanId));
  const roots = spans.filter((span) => !known.has(span.parentSpanId));
  const orphans = roots.filter((span) => span.parentSpanId !== parentSpanId).map((span) => `orphan: ${nameOf(span)}`);
  return [
    ...orphans,
    ...compareAll(
      [expected],
      roots.filter((span) => span.parentSpanId === parentSpanId),
      { path: "", spans },
    ),
    ...spans.flatMap(faultsOf),
  ];
}

interface Place {
  path: string;
  spans: readonly OtlpSpan[];
  parent?: OtlpSpan;
}

function compareAll(expected: readonly ExpectedSpan[], actual: readonly OtlpSpan[], place: Place): string[] {
  const left = [...actual].sort((a, b) => Number(a.start - b.start));
  const faults: string[] = [];
  for (const one of expected) {
    const at = left.findIndex((span) => fits(one, span));
    const [found] = at < 0 ? [] : left.splice(at, 1);
    if (found === undefined) faults.push(`missing: ${place.path}${one.service} ${one.name}`);
    else faults.push(...compareOne(one, found, place));
  }
  for (const span of left) {
    if (!passing[span.service]?.includes(span.name)) faults.push(`undeclared: ${place.path}${nameOf(span)}`);
  }
  return faults;
}

function compareOne(expected: ExpectedSpan, actual: OtlpSpan, { path, spans, parent }: Place): string[] {
  const linksToSender = actual.links.some(({ spanId }) => spanId === parent?.spanId);
  const faults = expected.linked && !linksToSender ? [`no link to its sender: ${path}${nameOf(actual)}`] : [];
  const children = spans.filter(({ parentSpanId }) => parentSpanId === actual.spanId);
  const below = { path: `${path}${expected.service} ${expected.name} > `, spans, parent: actual };
  return [...faults, ...compareAll(expected.children, children, below)];
}

function fits({ service, name, event, group }: ExpectedSpan, span: OtlpSpan): boolean {
  const says = (attribute: AttributeName, value: string | undefined) =>
    value === undefined || span.attributes[attribute]?.value === value;
  const isAbout = says("taskmesh.event.type", event) && says("messaging.consumer.group.name", group);
  return span.service === service && span.name === name && isAbout;
}

function nameOf({ service, name }: OtlpSpan): string {
  return `${service} ${name}`;
}

/** What is wrong with a span by itself, wherever it stands: its name, its attributes, its resource. */
export function faultsOf(span: OtlpSpan): string[] {
  if (span.service.startsWith("envoy-")) {
    const strange = Object.keys(span.attributes).filter((name) => !envoySpanAttributes.includes(name));
    return strange.map((name) => `unregistered attribute ${name}: ${nameOf(span)}`);
  }
  const shapes = spanShapes.filter(({ name, kind }) => name.test(span.name) && kind === span.kind);
  const [shape] = shapes;
  if (shape === undefined || shapes.length > 1) return [`${shapes.length} shapes fit: ${nameOf(span)} (${span.kind})`];
  const allowed: readonly string[] = [...shape.requires, ...(shape.may ?? [])];
  const who = ["service.name", "service.instance.id", "service.version"];
  return [
    ...shape.requires.filter((name) => !(name in span.attributes)).map((name) => `lacks ${name}: ${nameOf(span)}`),
    ...who.filter((name) => !span.resource[name]).map((name) => `its resource lacks ${name}: ${nameOf(span)}`),
    ...Object.entries(span.attributes).flatMap(([name, value]) => {
      if (!allowed.includes(name)) return [`not its attribute, ${name}: ${nameOf(span)}`];
      const fault = valueFault(name, value);
      return fault === undefined ? [] : [`${name} ${fault}: ${nameOf(span)}`];
    }),
  ];
}

function valueFault(name: string, { type, value }: OtlpValue): string | undefined {
  const known: AttributeDescription | undefined = (attributeRegistry as Record<string, AttributeDescription>)[name];
  if (known === undefined) return "is not registered";
  if (known.type !== type) return `is of type ${type}, not ${known.type}`;
  if (known.values && !known.values.includes(String(value))) return "is not of its closed set";
  if (known.form && !known.form.test(String(value))) return "has not its form";
  const [least, most] = known.range ?? [Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY];
  return typeof value === "number" && (value < least || value > most) ? "is out of its range" : undefined;
}
