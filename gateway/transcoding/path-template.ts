import { HttpRuleError } from "./errors.ts";

/** A literal text, "*" for one segment, or "**" for the rest of the path. */
export type Segment = { kind: "literal"; text: string } | { kind: "*" } | { kind: "**" };

export interface Variable {
  /** Proto names of the field that takes the value, "task.task_id". */
  fieldPath: string;
  /** The segments that it covers: from `start` up to, and without, `end`. Undefined: to the end of the path. */
  start: number;
  end: number | undefined;
  /** Covers more than one segment, so that an encoded slash stays encoded. */
  multiple: boolean;
}

/** A path of google.api.http: `Template = "/" Segments [ Verb ]`. */
export interface PathTemplate {
  text: string;
  segments: Segment[];
  variables: Variable[];
  /** The custom verb after the last colon, without it; empty for none. */
  verb: string;
}

const identifiers = /^[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*$/;
const literal = /^(?:[\w\-.~!$&'()+,;=@]|%[0-9A-Fa-f]{2})+$/;

class Parser {
  readonly #text: string;
  #at = 0;
  readonly segments: Segment[] = [];
  readonly variables: Variable[] = [];

  constructor(text: string) {
    this.#text = text;
  }

  parse(): PathTemplate {
    this.#expect("/");
    this.#segments(false);
    const verb = this.#accept(":") ? this.#literal("a verb") : "";
    if (this.#at < this.#text.length) this.#fail("the end of the path");
    this.#checkRest();
    return { text: this.#text, segments: this.segments, variables: this.variables, verb };
  }

  #segments(inVariable: boolean): void {
    do this.#segment(inVariable);
    while (this.#accept("/"));
  }

  #segment(inVariable: boolean): void {
    if (this.#accept("**")) this.segments.push({ kind: "**" });
    else if (this.#accept("*")) this.segments.push({ kind: "*" });
    else if (!inVariable && this.#accept("{")) this.#variable();
    else this.segments.push({ kind: "literal", text: decodeURIComponent(this.#literal("a segment")) });
  }

  #variable(): void {
    const fieldPath = this.#until(/[=}]/);
    if (!identifiers.test(fieldPath)) this.#fail("a field path");
    if (this.variables.some((variable) => variable.fieldPath === fieldPath)) this.#fail("a field path not used before");
    const start = this.segments.length;
    if (this.#accept("=")) this.#segments(true);
    else this.segments.push({ kind: "*" });
    this.#expect("}");
    const open = this.segments.at(-1)?.kind === "**";
    const end = open ? undefined : this.segments.length;
    this.variables.push({ fieldPath, start, end, multiple: open || this.segments.length - start > 1 });
  }

  #checkRest(): void {
    const rest = this.segments.findIndex((segment) => segment.kind === "**");
    if (rest >= 0 && rest !== this.segments.length - 1) {
      throw new HttpRuleError(`path template "${this.#text}": "**" must be the last segment`);
    }
  }

  #literal(what: string): string {
    const text = this.#until(/[/{}:*]/);
    if (!literal.test(text)) this.#fail(what);
    return text;
  }

  #until(stop: RegExp): string {
    const length = this.#text.slice(this.#at).search(stop);
    const end = length < 0 ? this.#text.length : this.#at + length;
    const text = this.#text.slice(this.#at, end);
    this.#at = end;
    return text;
  }

  #accept(token: string): boolean {
    if (!this.#text.startsWith(token, this.#at)) return false;
    this.#at += token.length;
    return true;
  }

  #expect(token: string): void {
    if (!this.#accept(token)) this.#fail(`"${token}"`);
  }

  #fail(wanted: string): never {
    throw new HttpRuleError(`path template "${this.#text}": expected ${wanted} before offset ${this.#at}`);
  }
}

/** Parses a path of google.api.http. Throws HttpRuleError. */
export function parsePathTemplate(text: string): PathTemplate {
  return new Parser(text).parse();
}
