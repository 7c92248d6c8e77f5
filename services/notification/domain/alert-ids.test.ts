import { expect, it } from "vitest";
import { isId, newId } from "#kit/id.ts";
import { acknowledgementEventId, noticeEventId } from "./alert-ids.ts";

it("gives each notice of an alert to a person an id of its own, and always the same", () => {
  const [alert, other, anna, ben] = [newId(), newId(), newId(), newId()];
  const ids = [
    noticeEventId(alert, anna, 0),
    noticeEventId(alert, anna, 1),
    noticeEventId(alert, ben, 0),
    noticeEventId(other, anna, 0),
    acknowledgementEventId(alert, anna),
  ];
  expect(new Set(ids).size).toBe(ids.length);
  expect(noticeEventId(alert, anna, 0)).toBe(ids[0]);
  for (const id of ids) {
    expect(isId(id)).toBe(true);
    // Version 8, variant 10.
    expect(id).toMatch(/^.{14}8.{4}[89ab]/);
  }
});
