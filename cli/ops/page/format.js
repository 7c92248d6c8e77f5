/** Per second: 0, 0.4, 12, 1.2k. */
export function rate(value) {
  if (value === 0) return "0";
  if (value < 0.05) return "<0.1";
  if (value < 10) return value.toFixed(1);
  return value < 1000 ? String(Math.round(value)) : `${(value / 1000).toFixed(1)}k`;
}

/** Seconds in a unit that fits: 0.4 ms, 12 ms, 1.2 s. */
export function seconds(value) {
  if (value === undefined || value === null) return "–";
  if (value < 0.01) return `${(value * 1000).toFixed(1)} ms`;
  if (value < 1) return `${Math.round(value * 1000)} ms`;
  return value < 100 ? `${value.toFixed(1)} s` : `${Math.round(value / 60)} min`;
}

export function microseconds(value) {
  return value < 1000 ? `${Math.round(value)} µs` : seconds(value / 1_000_000);
}

export function bytes(value) {
  return value === undefined ? "–" : `${Math.round(value / 1_048_576)} MiB`;
}

export function percent(value) {
  return value === undefined ? "–" : `${(value * 100).toFixed(value < 0.1 ? 1 : 0)} %`;
}

/** How long ago: 12 s, 3 min, 2 h, 5 d. */
export function since(time, now) {
  if (time === undefined) return "–";
  const span = Math.max(0, (Date.parse(now) - Date.parse(time)) / 1000);
  if (span < 120) return `${Math.round(span)} s`;
  if (span < 7200) return `${Math.round(span / 60)} min`;
  return span < 172_800 ? `${Math.round(span / 3600)} h` : `${Math.round(span / 86_400)} d`;
}

const clock = { hour12: false, hour: "2-digit", minute: "2-digit", second: "2-digit" };

/** The moment of a trace's begin, microseconds since 1970. */
export function moment(time) {
  return new Date(time / 1000).toLocaleTimeString(undefined, { ...clock, fractionalSecondDigits: 3 });
}
