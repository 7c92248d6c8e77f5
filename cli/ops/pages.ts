import { readFile } from "node:fs/promises";
import type { Content } from "./http.ts";

const types: Record<string, string> = {
  html: "text/html; charset=utf-8",
  css: "text/css; charset=utf-8",
  js: "text/javascript; charset=utf-8",
  svg: "image/svg+xml",
};

/** The files of the page, by the path under which each is served. */
const files: Readonly<Record<string, string>> = {
  "/ops": "index.html",
  "/ops/ops.css": "ops.css",
  "/ops/icon.svg": "icon.svg",
  ...Object.fromEntries(
    ["main", "elements", "format", "topology", "ownership", "tables", "search", "waterfall"].map((name) => [
      `/ops/${name}.js`,
      `${name}.js`,
    ]),
  ),
};

/** What those without a token get with the 401: no secret, so neither its style. */
export const openPaths: ReadonlySet<string> = new Set(["/ops/ops.css", "/ops/icon.svg"]);

const read = new Map<string, Promise<Content>>();

/** The file of a path, undefined when there is none. Read once. */
export function pageOf(path: string): Promise<Content> | undefined {
  const file = files[path];
  return file === undefined ? undefined : load(file);
}

export function signInPage(): Promise<Content> {
  return load("sign-in.html");
}

function load(file: string): Promise<Content> {
  const known = read.get(file);
  if (known !== undefined) return known;
  const type = types[file.split(".").at(-1) ?? ""] ?? "application/octet-stream";
  const content = readFile(new URL(`page/${file}`, import.meta.url)).then((body) => ({ type, body }));
  read.set(file, content);
  return content;
}
