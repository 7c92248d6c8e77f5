import { describe, expect, it } from "vitest";
import { changedFields, defaultsFor, fieldsOfMask, type ProfileFields } from "./profile.ts";

const defaults = defaultsFor("ada@example.com");
const current: ProfileFields = { displayName: "Ada", locale: "de", timeZone: "Europe/Berlin" };
const nothing: ProfileFields = { displayName: "", locale: "", timeZone: "" };

describe("changedFields", () => {
  it("touches what is given when there is no mask", () => {
    const given = { ...nothing, locale: "fr" };
    expect(changedFields(current, { named: undefined, given }, defaults)).toEqual({ locale: "fr" });
    expect(changedFields(current, { named: undefined, given: nothing }, defaults)).toEqual({});
  });

  it("touches only what the mask names, and resets what is named and not given", () => {
    const given = { ...nothing, displayName: "Grace", locale: "fr" };
    expect(changedFields(current, { named: ["displayName", "timeZone"], given }, defaults)).toEqual({
      displayName: "Grace",
      timeZone: "UTC",
    });
    expect(changedFields(current, { named: ["displayName"], given: nothing }, defaults)).toEqual({
      displayName: "ada",
    });
  });

  it("leaves out what stays as it was", () => {
    expect(changedFields(current, { named: undefined, given: current }, defaults)).toEqual({});
  });

  it.each([
    ["locale", "pt-br", "pt-BR"],
    ["locale", "ZH-hant-tw", "zh-Hant-TW"],
    ["timeZone", "america/new_york", "America/New_York"],
    ["timeZone", "Asia/Kolkata", "Asia/Kolkata"],
    ["timeZone", "Europe/Kyiv", "Europe/Kyiv"],
    ["displayName", "  Ada L. ", "Ada L."],
  ] as const)("writes %s %j as %j", (field, value, written) => {
    const given = { ...nothing, [field]: value };
    expect(changedFields(current, { named: [field], given }, defaults)).toEqual({ [field]: written });
  });

  it.each([
    ["locale", "no-locale-at-all"],
    ["timeZone", "Mars/Olympus"],
    ["timeZone", "+01:00"],
    ["displayName", " \u00a0"],
  ] as const)("refuses %s %j", (field, value) => {
    const change = { named: undefined, given: { ...nothing, [field]: value } };
    const protoName = field.replace(/[A-Z]/, (letter) => `_${letter.toLowerCase()}`);
    expect(() => changedFields(current, change, defaults)).toThrow(expect.objectContaining({ field: protoName }));
  });
});

describe("fieldsOfMask", () => {
  it("knows the fields that can be changed, and leaves the etag to itself", () => {
    expect(fieldsOfMask(["time_zone", "etag"])).toEqual({ named: ["timeZone"], wrong: [] });
    expect(fieldsOfMask(["*"])).toEqual({ named: ["displayName", "locale", "timeZone"], wrong: [] });
    expect(fieldsOfMask(["email", "locale", "*x"])).toEqual({ named: ["locale"], wrong: ["email", "*x"] });
  });
});
