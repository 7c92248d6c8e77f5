import type { TraceSearch } from "./traces.ts";

/** A wrong field of a search, with what is right. */
export class FieldError extends Error {
  override readonly name = "FieldError";
  readonly field: string;

  constructor(field: string, message: string) {
    super(message);
    this.field = field;
  }
}

const mostTraces = 200;

/** Reads `?service=…&operation=…&minDuration=50ms&errors=1&tag=key=value&limit=20`; throws FieldError. */
export function readSearch(query: URLSearchParams): TraceSearch {
  const text = (field: string) => {
    const value = (query.get(field) ?? "").trim();
    if (value.length > 200) throw new FieldError(field, "at most 200 characters");
    return value;
  };
  const minDuration = text("minDuration").replaceAll(" ", "").replace("µ", "u");
  if (minDuration !== "" && !/^\d{1,9}(\.\d{1,6})?(us|ms|s)$/.test(minDuration)) {
    throw new FieldError("minDuration", "write it as 50ms, 1.5s or 800us");
  }
  const limit = text("limit") || "20";
  if (!/^\d{1,3}$/.test(limit) || Number(limit) < 1 || Number(limit) > mostTraces) {
    throw new FieldError("limit", `a number from 1 to ${mostTraces}`);
  }
  const tag = readTag(text("tag"));
  return {
    service: text("service") || "gateway",
    limit: Number(limit),
    errorsOnly: query.get("errors") === "1",
    ...(text("operation") && { operation: text("operation") }),
    ...(minDuration && { minDuration }),
    ...(tag && { tag }),
  };
}

function readTag(tag: string): [string, string] | undefined {
  if (tag === "") return undefined;
  const [, key, value] = /^([\w.-]+)\s*=\s*(.+)$/.exec(tag) ?? [];
  if (key === undefined || value === undefined) {
    throw new FieldError("tag", "write it as taskmesh.user.id=…, or give a trace id of 32 hexadecimal digits");
  }
  return [key, value];
}
