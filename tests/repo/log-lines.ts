/** One key of the fields of a line that is logged, and where. */
export interface LoggedKey {
  path: string;
  /** As it is written: `"taskmesh.user.id"`, `attributes.reason`, `error`. */
  key: string;
}

const call = /(?:\blog|#log|\bsink)(?:\.(?:trace|debug|info|warn|error|fatal)|\[[^\]]+\])\(\s*\{/g;

/** The keys of all object literals that are given to a logger. What is spread into them is not looked into. */
export function loggedKeys(path: string, text: string): LoggedKey[] {
  return [...text.matchAll(call)].flatMap((match) =>
    keysOf(text, match.index + match[0].length).map((key) => ({ path, key })),
  );
}

/** The keys of the object literal whose brace is right before `from`. */
function keysOf(text: string, from: number): string[] {
  const keys: string[] = [];
  let depth = 1;
  let part = "";
  const end = () => {
    const key = /^\s*(?:"([^"]+)"|\[([^\]]+)\]|([\w$]+))\s*(?::|$)/.exec(part);
    if (key) keys.push((key[1] ?? key[2] ?? key[3]) as string);
    part = "";
  };
  for (let at = from; at < text.length && depth > 0; at++) {
    const character = text[at] as string;
    if ("({[".includes(character)) depth++;
    if (")}]".includes(character)) depth--;
    if (depth === 0 || (depth === 1 && character === ",")) end();
    else part += character;
  }
  return keys;
}
