import { describe, expect, it } from "vitest";
import { meshServices } from "../../services.ts";
import { openApiDocument } from "../document.ts";
import type { Operation } from "../model.ts";
import { html, prose } from "./html.ts";
import { docsPage, pagePolicy } from "./page.ts";

const document = openApiDocument(Object.values(meshServices), { version: "1.2.3" });
const page = docsPage(document);
const tags = [...page.matchAll(/<\/?([a-z0-9]+)[^>]*>/g)];

describe("the page of the document", () => {
  it("describes every call and every message, each at a place of its own that links lead to", () => {
    const ids = [...page.matchAll(/ id="([^"]+)"/g)].map((match) => match[1]);
    expect(new Set(ids).size).toBe(ids.length);
    for (const operation of Object.values(document.paths).flatMap((item) => Object.values(item) as Operation[])) {
      expect(ids).toContain(operation.operationId);
    }
    for (const name of Object.keys(document.components.schemas)) expect(ids).toContain(`schema-${name}`);
    const links = [...page.matchAll(/href="#([^"]+)"/g)].map((match) => match[1]);
    expect(links.filter((link) => !ids.includes(link))).toEqual([]);
  });

  it("loads nothing and runs nothing", () => {
    expect(
      tags.map((tag) => tag[1]).filter((name) => /^(script|img|iframe|object|embed|form|svg)$/.test(name ?? "")),
    ).toEqual([]);
    expect(page).not.toMatch(/\s(?:src|style|on[a-z]+)=|url\(|@import|https?:\/\//);
    expect(pagePolicy).toMatch(/^default-src 'none'; style-src 'sha256-[\w+/]{43}='; /);
    expect(pagePolicy).not.toContain("unsafe");
  });

  it("closes what it opens", () => {
    const open: string[] = [];
    for (const [text, name = ""] of tags) {
      if (/^(meta|link)$/.test(name)) continue;
      if (text.startsWith("</")) expect(open.pop()).toBe(name);
      else open.push(name);
    }
    expect(open).toEqual([]);
  });

  it("can be read aloud and used by keyboard", () => {
    expect(page).toContain('<html lang="en">');
    expect(page).toMatch(/<a class="skip" href="#calls">/);
    const levels = [...page.matchAll(/<h(\d)/g)].map((match) => Number(match[1]));
    expect(levels.filter((level) => level === 1)).toHaveLength(1);
    for (const [index, level] of levels.entries()) expect(level - (levels[index - 1] ?? 0)).toBeLessThanOrEqual(1);
    expect(page.match(/<table/g)?.length).toBe(page.match(/<caption>/g)?.length);
    expect(page.match(/<pre/g)?.length).toBe(page.match(/<pre tabindex="0" role="group" aria-label="/g)?.length);
    expect(page.match(/<th[ >]/g)?.length).toBe(page.match(/<th scope="/g)?.length);
  });

  it("says what the items of a list are, and where it may be null", () => {
    expect(page).toContain("<td>list of string, uuid, at most <code>50</code> items, no two alike or null</td>");
  });

  it("shows how to make a call by curl", () => {
    expect(page).toContain("curl -X POST &quot;$EDGE/v1/tasks/$taskId:complete&quot;");
  });
});

describe("markup", () => {
  it("is never made of what a text says", () => {
    const text = "<b onclick='x'>\"&`";
    expect(html`<i title="${text}">${[text]}</i>`.text).toBe(
      `<i title="&lt;b onclick=&#39;x&#39;&gt;&quot;&amp;\`">&lt;b onclick=&#39;x&#39;&gt;&quot;&amp;\`</i>`,
    );
  });

  it("is made of paragraphs, lists and names", () => {
    expect(prose("One `two`.\n\n- a\n- b").text).toBe("<p>One <code>two</code>.</p><ul><li>a</li><li>b</li></ul>");
  });
});
