/** The parts of a rule that decide what else it may hold. */
export interface RuleParts {
  frequency: Frequency;
  count: number | undefined;
  /** "20261231", "20261231T225959" or that with Z. */
  until: string | undefined;
  /** Names of the parts that are there. */
  names: ReadonlySet<string>;
  /** The rule without COUNT, in upper case. */
  endless: string;
}

type Frequency = "HOURLY" | "DAILY" | "WEEKLY" | "MONTHLY" | "YEARLY";

const day = "(MO|TU|WE|TH|FR|SA|SU)";
const signed = (max: number) =>
  listOf((text) => /^[+-]?\d{1,3}$/.test(text) && inRange(Math.abs(Number(text)), 1, max));
const unsigned = (max: number) => listOf((text) => /^\d{1,2}$/.test(text) && inRange(Number(text), 0, max));

/** What each part of a rule may hold, RFC 5545 section 3.3.10. */
const parts: Record<string, (value: string) => boolean> = {
  FREQ: (value) => /^(SECONDLY|MINUTELY|HOURLY|DAILY|WEEKLY|MONTHLY|YEARLY)$/.test(value),
  INTERVAL: (value) => /^\d{1,4}$/.test(value) && Number(value) >= 1,
  COUNT: (value) => /^\d{1,6}$/.test(value) && Number(value) >= 1,
  UNTIL: (value) => /^\d{8}(T\d{6}Z?)?$/.test(value),
  BYSECOND: unsigned(60),
  BYMINUTE: unsigned(59),
  BYHOUR: unsigned(23),
  BYDAY: listOf((text) => new RegExp(`^([+-]?\\d{1,2})?${day}$`).test(text)),
  BYMONTHDAY: signed(31),
  BYYEARDAY: signed(366),
  BYWEEKNO: signed(53),
  BYMONTH: listOf((text) => /^\d{1,2}$/.test(text) && inRange(Number(text), 1, 12)),
  BYSETPOS: signed(366),
  WKST: (value) => new RegExp(`^${day}$`).test(value),
};

/** Reads a rule, or answers with a phrase that says what is wrong with it. */
export function readRule(rrule: string): RuleParts | string {
  const values = new Map<string, string>();
  for (const part of rrule.toUpperCase().split(";")) {
    const [name = "", value] = part.split("=", 2);
    const isRight = parts[name];
    if (isRight === undefined || value === undefined) return `"${clip(part)}" is no part of a rule`;
    if (values.has(name)) return `${name} is there twice`;
    if (!isRight(value)) return `${name} cannot be "${clip(value)}"`;
    values.set(name, value);
  }
  return conflictOf(values) ?? toParts(values);
}

function toParts(values: Map<string, string>): RuleParts {
  const count = values.get("COUNT");
  const endless = [...values].filter(([name]) => name !== "COUNT").map((part) => part.join("="));
  return {
    frequency: values.get("FREQ") as Frequency,
    count: count === undefined ? undefined : Number(count),
    until: values.get("UNTIL"),
    names: new Set(values.keys()),
    endless: endless.join(";"),
  };
}

interface Conflict {
  is: boolean;
  reason: string;
}

function conflictOf(values: Map<string, string>): string | undefined {
  const frequency = values.get("FREQ") ?? "";
  const has = (name: string) => values.has(name);
  const within = (...frequencies: string[]) => frequencies.includes(frequency);
  const countsDays = /\d/.test(values.get("BYDAY") ?? "");
  const others = [...values.keys()].some((name) => name.startsWith("BY") && name !== "BYSETPOS");
  const conflicts: Conflict[] = [
    { is: frequency === "", reason: "FREQ is missing" },
    { is: within("SECONDLY", "MINUTELY"), reason: "FREQ must be HOURLY or longer" },
    { is: has("COUNT") && has("UNTIL"), reason: "COUNT and UNTIL exclude each other" },
    { is: countsDays && !within("MONTHLY", "YEARLY"), reason: "a number in BYDAY needs FREQ=MONTHLY or FREQ=YEARLY" },
    { is: countsDays && has("BYWEEKNO"), reason: "a number in BYDAY and BYWEEKNO exclude each other" },
    { is: has("BYWEEKNO") && !within("YEARLY"), reason: "BYWEEKNO needs FREQ=YEARLY" },
    { is: has("BYYEARDAY") && !within("YEARLY"), reason: "BYYEARDAY needs FREQ=YEARLY" },
    { is: has("BYMONTHDAY") && within("WEEKLY"), reason: "BYMONTHDAY does not go with FREQ=WEEKLY" },
    { is: has("BYSETPOS") && !others, reason: "BYSETPOS needs another BY part" },
    ...dearParts(values),
  ];
  return conflicts.find(({ is }) => is)?.reason;
}

/** What RFC 5545 allows and a task has no use for; it would take long to work out. */
function dearParts(values: Map<string, string>): Conflict[] {
  const length = (name: string) => values.get(name)?.split(",").length ?? 1;
  const times = length("BYHOUR") * length("BYMINUTE") * length("BYSECOND");
  const coarse = ["BYMONTH", "BYMONTHDAY", "BYSETPOS"].find((name) => values.has(name));
  return [
    { is: times > 24, reason: "at most 24 times a day are possible" },
    { is: coarse !== undefined && values.get("FREQ") === "HOURLY", reason: `${coarse} does not go with FREQ=HOURLY` },
  ];
}

function listOf(isRight: (text: string) => boolean): (value: string) => boolean {
  return (value) => value.split(",").every(isRight);
}

function inRange(number: number, least: number, most: number): boolean {
  return number >= least && number <= most;
}

function clip(text: string): string {
  return text.length > 40 ? `${text.slice(0, 40)}…` : text;
}
