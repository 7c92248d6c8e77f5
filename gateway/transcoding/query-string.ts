import { TranscodingError } from "./errors.ts";

/** The parameters of a query in their order, decoded; `query` is without its "?". Throws TranscodingError. */
export function parseQuery(query: string): [name: string, value: string][] {
  const parameters: [string, string][] = [];
  for (const part of query.split("&")) {
    if (part === "") continue;
    const equals = part.indexOf("=");
    const name = decodeQueryText(equals < 0 ? part : part.slice(0, equals));
    if (name === undefined)
      throw TranscodingError.field("", "the name of a query parameter is not percent-encoded UTF-8");
    const value = equals < 0 ? "" : decodeQueryText(part.slice(equals + 1));
    if (value === undefined) throw TranscodingError.field(name, "must be percent-encoded UTF-8");
    parameters.push([name, value]);
  }
  return parameters;
}

function decodeQueryText(text: string): string | undefined {
  return decodePercent(text.includes("+") ? text.replaceAll("+", " ") : text);
}

/** Undoes percent-encoding. Undefined: malformed, or not UTF-8. */
export function decodePercent(text: string): string | undefined {
  if (!text.includes("%")) return text;
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}

/** Undoes percent-encoding except of slashes, as google.api.http asks for variables of more than one segment. */
export function decodePercentExceptSlash(text: string): string | undefined {
  if (!text.includes("%")) return text;
  const parts = text.split(/(%2[fF])/).map((part, index) => (index % 2 === 1 ? part : decodePercent(part)));
  return parts.includes(undefined) ? undefined : parts.join("");
}
