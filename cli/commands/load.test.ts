import { expect, test } from "vitest";
import { checkTarget, mix, phases, planOf } from "./load.ts";

test("the seeds' phases are taken as they are written [004.18]", () => {
  expect(planOf({ phases: phases("300s@100,600s@200") })).toEqual([
    { seconds: 300, rate: 100 },
    { seconds: 600, rate: 200 },
  ]);
});

test("a rate and a time make one phase, and both have bounds", () => {
  expect(planOf({ rps: 500, for: 60_000 })).toEqual([{ rate: 500, seconds: 60 }]);
  expect(planOf({})).toEqual([{ rate: 100, seconds: 30 }]);
  expect(() => planOf({ rps: 10_001 })).toThrow("At most 10000 requests a second are sent");
  expect(() => planOf({ for: 3_601_000 })).toThrow("A load lasts an hour at most");
  expect(() => planOf({ phases: phases("40m@1,21m@1") })).toThrow("A load lasts an hour at most");
  expect(() => planOf({ rps: 1, phases: phases("1s@1") })).toThrow("Give either --phases or --rps and --for");
});

test.each(["300s", "300s@", "@100", "1s@1@1", "1s@-1", "x@1", ""])("phases %j are not understood", (text) => {
  expect(() => phases(text)).toThrow();
});

test("a mix is two shares", () => {
  expect(mix("read=90,write=10")).toEqual({ read: 90, write: 10 });
  for (const text of ["90,10", "read=0,write=0", "write=1,read=1", "read=1"]) expect(() => mix(text)).toThrow();
});

test("only this machine is called, unless another one is named and wished", () => {
  for (const text of ["http://127.0.0.1:8080", "http://localhost:1", "https://[::1]:2", "http://127.9.9.9"]) {
    expect(checkTarget(text, false).origin).toBe(new URL(text).origin);
  }
  for (const text of ["http://example.com", "http://10.0.0.1", "http://127.0.0.1.example.com", "https://[::2]"]) {
    expect(() => checkTarget(text, false)).toThrow("is not this machine: add --allow-remote");
    expect(checkTarget(text, true).origin).toBe(new URL(text).origin);
  }
  for (const text of ["example", "ftp://127.0.0.1", "http://me@127.0.0.1", ""]) {
    expect(() => checkTarget(text, true)).toThrow("is no address to call");
  }
});
