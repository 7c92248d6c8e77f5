/** Where a JSON text is at fault. `path` leads to the member or item that was being read. */
export interface JsonFault {
  kind: "syntax" | "duplicate" | "reached";
  offset: number;
  path: (string | number)[];
}

interface Frame {
  /** The names seen so far; undefined in an array. */
  names: Set<string> | undefined;
  key: string | number;
}

type Expected = "value" | "value-or-end" | "name" | "name-or-end" | "colon" | "comma-or-end" | "end-of-text";

const space = /[ \t\n\r]*/y;
// biome-ignore lint/suspicious/noControlCharactersInRegex: JSON forbids exactly these inside of a text
const text = /"[^"\\\u0000-\u001f]*(?:\\(?:["\\/bfnrt]|u[\da-fA-F]{4})[^"\\\u0000-\u001f]*)*"/y;
const plain = /(?:-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null)/y;

/** Reads JSON (RFC 8259) without building it, so that a fault can be told by place and member. Takes any depth. */
class Scanner {
  readonly #json: string;
  readonly #stopAt: number;
  readonly #frames: Frame[] = [];
  #at = 0;
  #expected: Expected = "value";

  constructor(json: string, stopAt: number) {
    this.#json = json;
    this.#stopAt = stopAt;
  }

  run(): JsonFault | undefined {
    for (;;) {
      this.#match(space);
      if (this.#at >= this.#stopAt) return this.#fault("reached");
      if (this.#at >= this.#json.length) return this.#expected === "end-of-text" ? undefined : this.#fault("syntax");
      const start = this.#at;
      const kind = this.#token();
      if (kind !== undefined) {
        if (kind === "syntax") this.#at = start;
        return this.#fault(kind);
      }
      if (this.#at > this.#stopAt) return this.#fault("reached");
    }
  }

  #token(): "syntax" | "duplicate" | undefined {
    const char = this.#json[this.#at];
    switch (this.#expected) {
      case "name":
      case "name-or-end":
        if (char === "}" && this.#expected === "name-or-end") return this.#close();
        return this.#name();
      case "colon":
        if (char !== ":") return "syntax";
        this.#at++;
        this.#expected = "value";
        return undefined;
      case "comma-or-end":
        return this.#afterValue(char);
      case "value":
      case "value-or-end":
        if (char === "]" && this.#expected === "value-or-end") return this.#close();
        return this.#value(char);
      default:
        return "syntax";
    }
  }

  #value(char: string | undefined): "syntax" | undefined {
    if (char === "{") return this.#open({ names: new Set(), key: "" }, "name-or-end");
    if (char === "[") return this.#open({ names: undefined, key: 0 }, "value-or-end");
    if (!this.#match(char === '"' ? text : plain)) return "syntax";
    this.#expected = this.#frames.length > 0 ? "comma-or-end" : "end-of-text";
    return undefined;
  }

  #name(): "syntax" | "duplicate" | undefined {
    const start = this.#at;
    const frame = this.#frames.at(-1);
    if (!this.#match(text) || frame?.names === undefined) return "syntax";
    frame.key = JSON.parse(this.#json.slice(start, this.#at));
    if (frame.names.has(frame.key as string)) return "duplicate";
    frame.names.add(frame.key as string);
    this.#expected = "colon";
    return undefined;
  }

  #afterValue(char: string | undefined): "syntax" | undefined {
    const frame = this.#frames.at(-1);
    if (char !== ",") return char === (frame?.names ? "}" : "]") ? this.#close() : "syntax";
    this.#at++;
    if (frame && typeof frame.key === "number") frame.key++;
    this.#expected = frame?.names ? "name" : "value";
    return undefined;
  }

  #open(frame: Frame, expected: Expected): undefined {
    this.#frames.push(frame);
    this.#at++;
    this.#expected = expected;
  }

  #close(): undefined {
    this.#frames.pop();
    this.#at++;
    this.#expected = this.#frames.length > 0 ? "comma-or-end" : "end-of-text";
  }

  #match(pattern: RegExp): boolean {
    pattern.lastIndex = this.#at;
    if (!pattern.test(this.#json)) return false;
    this.#at = pattern.lastIndex;
    return true;
  }

  #fault(kind: JsonFault["kind"]): JsonFault {
    const path = this.#frames.map((frame) => frame.key).filter((key) => key !== "");
    return { kind, offset: this.#at, path };
  }
}

/** The first fault of a JSON text, or the member at the offset `stopAt` when that comes before. */
export function scanJson(json: string, stopAt = Number.POSITIVE_INFINITY): JsonFault | undefined {
  return new Scanner(json, stopAt).run();
}

/** How many object members a well-formed JSON text has: the colons outside of its texts. */
export function countMembers(json: string): number {
  let members = 0;
  for (let at = 0; at < json.length; at++) {
    const char = json.charCodeAt(at);
    if (char === 0x3a) members++;
    else if (char === 0x22) at = endOfText(json, at);
  }
  return members;
}

function endOfText(json: string, start: number): number {
  for (let at = start; ; ) {
    at = json.indexOf('"', at + 1);
    let backslashes = 0;
    while (json.charCodeAt(at - 1 - backslashes) === 0x5c) backslashes++;
    if (backslashes % 2 === 0 || at < 0) return at < 0 ? json.length : at;
  }
}
