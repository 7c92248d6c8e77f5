import type { MetricAttributes, MetricName, MetricOf } from "./names.ts";

type Values = Readonly<Record<string, string | number | boolean | undefined>>;

/** Takes one measurement. The attributes are those of the table of names. */
export type Write = (value: number, attributes?: Values) => void;
type Read = (record: Write) => void;

/** Keeps the measurements of a process; without one they go nowhere. */
export interface Meter {
  open(name: MetricName): Write;
  observe(name: MetricName, read: Read): () => void;
}

interface Slot {
  name: MetricName;
  write: Write;
}

interface Observation {
  name: MetricName;
  read: Read;
  end: () => void;
}

const nothing = (): void => {};
const slots: Slot[] = [];
const observations = new Set<Observation>();
let meter: Meter | undefined;

/** Sends what is measured from now on to a meter, or nowhere. Modules may declare their instruments before and after. */
export function setMeter(next: Meter | undefined): void {
  meter = next;
  for (const slot of slots) slot.write = next?.open(slot.name) ?? nothing;
  for (const observation of observations)
    observation.end = next?.observe(observation.name, observation.read) ?? nothing;
}

function open(name: MetricName): Slot {
  const slot = { name, write: meter?.open(name) ?? nothing };
  slots.push(slot);
  return slot;
}

export interface Counter<N extends MetricName> {
  add(value: number, attributes?: MetricAttributes<N>): void;
}
export interface Recorder<N extends MetricName> {
  record(value: number, attributes?: MetricAttributes<N>): void;
}

/** A number that only grows. */
export function counter<N extends MetricOf<"counter">>(name: N): Counter<N> {
  const slot = open(name);
  return { add: (value, attributes) => slot.write(value, attributes as Values) };
}

/** A number of things that come and go. */
export function upDownCounter<N extends MetricOf<"upDownCounter">>(name: N): Counter<N> {
  const slot = open(name);
  return { add: (value, attributes) => slot.write(value, attributes as Values) };
}

/**
 * A distribution, in the unit of its table entry; durations are in seconds. A measurement inside of a span that is kept
 * leaves the ids of that span behind as the exemplar of its bucket.
 */
export function histogram<N extends MetricOf<"histogram">>(name: N): Recorder<N> {
  const slot = open(name);
  return { record: (value, attributes) => slot.write(value, attributes as Values) };
}

/** A value that is set whenever it is known. */
export function gauge<N extends MetricOf<"gauge">>(name: N): Recorder<N> {
  const slot = open(name);
  return { record: (value, attributes) => slot.write(value, attributes as Values) };
}

/**
 * A value that is asked for when somebody reads the metrics; what is not answered is not there. Several that answer for
 * the same series add up. Answers with what ends the asking.
 */
export function observe<N extends MetricOf<"observed" | "observedCounter">>(
  name: N,
  read: (record: (value: number, attributes?: MetricAttributes<N>) => void) => void,
): () => void {
  const observation: Observation = { name, read: read as Read, end: nothing };
  observation.end = meter?.observe(name, observation.read) ?? nothing;
  observations.add(observation);
  return () => {
    observation.end();
    observations.delete(observation);
  };
}
