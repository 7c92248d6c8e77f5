import type { DescField } from "@bufbuild/protobuf";
import fc from "fast-check";
import { examplesOf } from "./dictionary.ts";
import { laneMark, referTo } from "./symbols.ts";

export type Rules = Record<string, unknown>;

const any = fc.oneof(
  { weight: 3, arbitrary: fc.string({ unit: "grapheme-ascii", maxLength: 40 }) },
  { weight: 2, arbitrary: fc.string({ unit: "binary", maxLength: 20 }) },
  {
    weight: 1,
    arbitrary: fc.constantFrom(
      "",
      " ",
      "\u0000",
      "%2F..%2F",
      "a/b?c#d&e=+%",
      "e\u0301 \u200f\u202e",
      "𝄞🧑‍🚒",
      '"\\\n\t',
    ),
  },
);
const hex = fc.string({ unit: fc.constantFrom(..."0123456789abcdef"), minLength: 8, maxLength: 8 });

/** Ids that nobody has, and each person's own: only their last part is the person's. */
const newId = hex.map((head) => `${head}-0000-7000-8000-${laneMark}`);
const newAddress = fc
  .tuple(hex, fc.constantFrom("", ".x", "+tag", "_", "'"), fc.constantFrom("example.com", "mail.example.org", "x.io"))
  .map(([name, more, host]) => `${name}.${laneMark}${more}@${host}`);

/** Texts that keep the rules of a field; a few may not, for what only an expression can tell. */
export function validText(field: DescField, rules: Rules): fc.Arbitrary<string> {
  if (typeof rules.const === "string") return fc.constant(rules.const);
  if (Array.isArray(rules.in)) return fc.constantFrom(...(rules.in as string[]));
  const met = metBefore(field);
  if (rules.uuid) return fc.oneof({ weight: 6, arbitrary: met }, { weight: 1, arbitrary: newId });
  if (rules.email) return fc.oneof({ weight: 2, arbitrary: met }, { weight: 1, arbitrary: newAddress });
  const examples = examplesOf(field);
  const texts = [{ weight: 4, arbitrary: inBounds(rules) }];
  if (examples.length > 0) texts.push({ weight: 6, arbitrary: fc.constantFrom(...examples) });
  if (isHanded(field)) texts.push({ weight: 8, arbitrary: met });
  return fc.oneof(...texts);
}

/** What the caller can only have from an answer: ids, etags, tokens of every kind. */
export function isHanded({ name }: DescField): boolean {
  return /(^|_)(ids?|etag|token|cursor|email|password|key)$/.test(name);
}

function metBefore({ name }: DescField): fc.Arbitrary<string> {
  const pool = name.replace(/(?<=_id|email|key|token)s$/, "");
  return fc.nat({ max: 7 }).map((index) => referTo(pool, index));
}

function inBounds(rules: Rules): fc.Arbitrary<string> {
  const { least, most } = bounds(rules);
  const base = typeof rules.pattern === "string" ? matching(rules.pattern) : any;
  const fitting = base.map((text) => fitted(text, least, most, rules));
  const edges = [least, least + 1, most - 1, most].filter((length) => length >= least && length <= most);
  const atEdge = fc.constantFrom(...new Set(edges)).map((length) => fitted("", length, length, rules));
  // The longest texts are dear to send four times: they come now and then.
  return fc.oneof({ weight: most > 1000 ? 30 : 2, arbitrary: fitting }, { weight: 1, arbitrary: atEdge });
}

/** In characters. A field without an upper bound gets one, so that "at the bound" is something. */
export function bounds(rules: Rules): { least: number; most: number } {
  const number = (name: string) => (rules[name] === undefined ? undefined : Number(rules[name]));
  const least = number("len") ?? number("minLen") ?? number("lenBytes") ?? number("minBytes") ?? 0;
  const most = number("len") ?? number("maxLen") ?? number("lenBytes") ?? number("maxBytes") ?? Math.max(least, 300);
  return { least, most };
}

function matching(pattern: string): fc.Arbitrary<string> {
  return fc.stringMatching(new RegExp(pattern, "u"), { maxLength: 120 });
}

function fitted(text: string, least: number, most: number, rules: Rules): string {
  const characters = [...text];
  const cut = characters.length > most ? characters.slice(0, most).join("") : text;
  const length = Math.min(characters.length, most);
  const filled = length < least ? cut + "a".repeat(least - length) : cut;
  return `${rules.prefix ?? ""}${filled}${rules.contains ?? ""}${rules.suffix ?? ""}`.slice(
    0,
    Math.max(filled.length, 1),
  );
}

/** For each rule of a text, what breaks it and, as far as can be, nothing else. */
export function brokenTexts(rules: Rules): Record<string, fc.Arbitrary<string>> {
  const { least, most } = bounds(rules);
  const broken: Record<string, fc.Arbitrary<string>> = {};
  if (least > 0) broken.tooShort = fc.constantFrom(least - 1, 0).map((length) => "a".repeat(length));
  if (rules.maxLen ?? rules.len ?? rules.maxBytes ?? rules.lenBytes) {
    broken.tooLong = fc.constantFrom(most + 1, most + 2).map((length) => "a".repeat(length));
  }
  if (typeof rules.pattern === "string") broken.pattern = notMatching(rules.pattern);
  if (rules.uuid) {
    const bad = [
      "",
      "no-uuid",
      "0190a1b2-0000-7000-8000-00000000000",
      "0190a1b20000700080000000000000010",
      "⟦task_id:0⟧ ",
    ];
    broken.uuid = fc.constantFrom(...bad);
  }
  if (rules.email)
    broken.email = fc.constantFrom("", "nobody", "a@", "@b", "a b@example.com", "a@b@example.com", "é@example.com");
  if (rules.in) broken.in = fc.constant("none of them");
  if (rules.const) broken.const = fc.constant(`${rules.const}x`);
  for (const rule of [
    "prefix",
    "suffix",
    "contains",
    "hostname",
    "ip",
    "ipv4",
    "ipv6",
    "uri",
    "uriRef",
    "address",
    "tuuid",
  ]) {
    if (rules[rule]) broken[rule] = fc.constant("\u0001 : %");
  }
  return broken;
}

function notMatching(pattern: string): fc.Arbitrary<string> {
  const expression = new RegExp(pattern, "u");
  const odd = [
    "\u0000",
    "a\u0000b",
    "\u0007",
    "\u001f",
    "\u007f",
    "\n",
    "",
    " ",
    "!!",
    "ÄÖÜ",
    "2026-1-1",
    "a".repeat(40),
  ];
  const candidates = odd.filter((text) => !expression.test(text));
  return candidates.length > 0 ? fc.constantFrom(...candidates) : any.filter((text) => !expression.test(text));
}
