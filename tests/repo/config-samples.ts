/** The limits of a number, as its reader says them. */
export function parseLimits(expects: string): { least?: number; most?: number; isWhole: boolean } {
  const [, from, to] = /from (\S+) to (\S+)/.exec(expects) ?? [];
  const [, least] = /of at least (\S+)/.exec(expects) ?? [];
  const [, most] = /of at most (\S+)/.exec(expects) ?? [];
  const number = (text: string | undefined) => (text === undefined ? undefined : Number(text));
  return { least: number(from ?? least), most: number(to ?? most), isWhole: /integer|port/.test(expects) };
}
