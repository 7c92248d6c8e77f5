import { registerHooks } from "node:module";

/** What stands in the source, and what the planted bug puts there. */
export type Replacement = readonly [find: string, replacement: string];

/** Replaces parts of one source file in the processes that load this: a planted bug. Each must be there to be replaced. */
export function substitute(file: string, ...replacements: Replacement[]): void {
  registerHooks({
    load(url, context, nextLoad) {
      const loaded = nextLoad(url, context);
      if (!url.endsWith(`/${file}`)) return loaded;
      const source = replacements.reduce((text, [find, replacement]) => {
        if (!text.includes(find)) throw new Error(`the planted bug finds nothing to replace in ${file}: ${find}`);
        return text.replace(find, () => replacement);
      }, String(loaded.source));
      return { ...loaded, source };
    },
  });
}
