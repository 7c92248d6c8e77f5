import { expect, it } from "vitest";
import { readRule } from "./rrule.ts";

it.each([
  "FREQ=DAILY",
  "FREQ=WEEKLY;BYDAY=MO,WE",
  "freq=weekly;byday=mo",
  "FREQ=MONTHLY;BYDAY=-1FR",
  "FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1",
  "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=29",
  "FREQ=YEARLY;BYWEEKNO=1,-1;WKST=SU",
  "FREQ=HOURLY;INTERVAL=6",
  "FREQ=DAILY;COUNT=10",
  "FREQ=DAILY;UNTIL=20261231T225959Z",
  "INTERVAL=2;FREQ=DAILY",
])("takes %s", (rrule) => {
  expect(readRule(rrule)).toMatchObject({ frequency: expect.any(String) });
});

it.each([
  ["", /no part/],
  ["hello", /no part/],
  ["RRULE:FREQ=DAILY", /no part/],
  ["INTERVAL=2", /FREQ is missing/],
  ["FREQ=SOMETIMES", /FREQ cannot be/],
  ["FREQ=SECONDLY", /HOURLY or longer/],
  ["FREQ=DAILY;INTERVAL=0", /INTERVAL cannot be/],
  ["FREQ=DAILY;INTERVAL=-1", /INTERVAL cannot be/],
  ["FREQ=DAILY;INTERVAL=99999", /INTERVAL cannot be/],
  ["FREQ=DAILY;COUNT=0", /COUNT cannot be/],
  ["FREQ=DAILY;COUNT=2;UNTIL=20270101", /exclude each other/],
  ["FREQ=DAILY;UNTIL=tomorrow", /UNTIL cannot be/],
  ["FREQ=DAILY;FREQ=WEEKLY", /twice/],
  ["FREQ=DAILY;;", /no part/],
  ["FREQ=DAILY;FOO=1", /no part/],
  ["FREQ=YEARLY;BYMONTH=13", /BYMONTH cannot be/],
  ["FREQ=MONTHLY;BYMONTHDAY=0", /BYMONTHDAY cannot be/],
  ["FREQ=MONTHLY;BYMONTHDAY=32", /BYMONTHDAY cannot be/],
  ["FREQ=DAILY;BYHOUR=25", /BYHOUR cannot be/],
  ["FREQ=WEEKLY;BYDAY=XX", /BYDAY cannot be/],
  ["FREQ=WEEKLY;BYDAY=1MO", /needs FREQ=MONTHLY/],
  ["FREQ=YEARLY;BYDAY=1MO;BYWEEKNO=3", /exclude each other/],
  ["FREQ=WEEKLY;BYMONTHDAY=1", /does not go with/],
  ["FREQ=MONTHLY;BYWEEKNO=1", /needs FREQ=YEARLY/],
  ["FREQ=MONTHLY;BYYEARDAY=1", /needs FREQ=YEARLY/],
  ["FREQ=DAILY;BYSETPOS=1", /needs another/],
  ["FREQ=HOURLY;BYMONTH=2", /does not go with/],
  ["FREQ=DAILY;BYHOUR=8,9,10,11,12;BYMINUTE=0,10,20,30,40", /24 times a day/],
  ["FREQ=DAILY;WKST=QQ", /WKST cannot be/],
  ["FREQ=YEARLY;RSCALE=CHINESE", /no part/],
  ["FREQ=DAILY\nDTSTART:20200101T000000Z", /FREQ cannot be/],
])("refuses %j and says why", (rrule, reason) => {
  expect(readRule(rrule)).toMatch(reason);
});

it("gives the count apart from the endless rule", () => {
  expect(readRule("FREQ=DAILY;COUNT=3;INTERVAL=2")).toMatchObject({ count: 3, endless: "FREQ=DAILY;INTERVAL=2" });
});
