import { describe, expect, it } from "vitest";
import { languages } from "../language.ts";
import { acknowledgedText, raisedText } from "./texts.ts";

const alert = { actor: "Anna", message: "Water in the cellar" };

describe("the texts of an alert", () => {
  it("say who calls, for what and where", () => {
    const { title, body } = raisedText("en", alert, 0, { latitude: 47.376887, longitude: -8.5 });
    expect(title).toBe("ALERT from Anna: Water in the cellar");
    expect(body).toContain("Place: 47.37689, -8.5 (geo:47.37689,-8.5)");
    expect(raisedText("de", alert, 0, undefined).title).toBe("ALARM von Anna: Water in the cellar");
    expect(raisedText("de", alert, 0, undefined).body).not.toContain("geo:");
  });

  it("tell a repeat from the first notice", () => {
    const titles = [0, 1, 2].map((repeat) => raisedText("en", alert, repeat, undefined).title);
    expect(new Set(titles).size).toBe(3);
  });

  it.each(languages)("keep what people wrote on its line, in %s", (language) => {
    const hostile = { actor: "Anna\r\nBcc: x", message: "a\nb\u0000\u2028c" };
    const told = [raisedText(language, hostile, 1, undefined), acknowledgedText(language, hostile)];
    for (const { title, body } of told) expect(title + body.replaceAll("\n", "")).not.toMatch(/[\p{Cc}\u2028]/u);
    expect(acknowledgedText(language, { actor: "", message: "" }).title).toMatch(/^(Somebody|Jemand) /);
    expect(raisedText(language, { actor: "", message: "x".repeat(5000) }, 0, undefined).title.length).toBeLessThan(200);
  });
});
