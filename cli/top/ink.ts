/** Colours of a terminal: each takes a text and gives it back, painted or plain. */
export interface Ink {
  bold(text: string): string;
  faint(text: string): string;
  good(text: string): string;
  warn(text: string): string;
  bad(text: string): string;
}

const painted = (code: number) => (text: string) => (text === "" ? "" : `\u001b[${code}m${text}\u001b[0m`);
const plain = (text: string) => text;

export const colourInk: Ink = {
  bold: painted(1),
  faint: painted(2),
  good: painted(32),
  warn: painted(33),
  bad: painted(31),
};
export const plainInk: Ink = { bold: plain, faint: plain, good: plain, warn: plain, bad: plain };

/** Colours for a terminal that wants them (https://no-color.org). */
export function inkFor(isTerminal: boolean, environment: NodeJS.ProcessEnv): Ink {
  const isUnwanted = Boolean(environment.NO_COLOR) || environment.TERM === "dumb";
  return isTerminal && !isUnwanted ? colourInk : plainInk;
}
