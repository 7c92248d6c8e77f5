import { describe, expect, test } from "vitest";
import { parseMetrics } from "./parse.ts";
import { bucketsOf, quantile } from "./quantile.ts";
import { ratesBetween, total } from "./rates.ts";
import type { Reading } from "./scrape.ts";

function reading(seconds: number, ...lines: string[]): Reading {
  return { time: seconds * 1000, samples: parseMetrics(lines.join("\n")) };
}

describe("ratesBetween", () => {
  test("divides growth by the time between, whatever the order of the labels", () => {
    const rates = ratesBetween(reading(10, 'a{x="1",y="2"} 5'), reading(12, 'a{y="2",x="1"} 25'));
    expect(rates).toEqual([{ name: "a", labels: { x: "1", y: "2" }, value: 10 }]);
  });

  test("takes a counter that shrank for one of a process that has started over", () => {
    expect(ratesBetween(reading(0, "a 1000"), reading(2, "a 6"))[0]?.value).toBe(3);
  });

  test("counts the first error that ever happened, but not the whole past of a page that is new", () => {
    expect(total(ratesBetween(reading(0, "calls 1"), reading(1, "calls 1", "errors 1")), "errors")).toBe(1);
    expect(ratesBetween(reading(0), reading(1, "errors 1000"))).toEqual([]);
  });

  test("has no rates for two readings at one time", () => {
    expect(ratesBetween(reading(1, "a 1"), reading(1, "a 2"))).toEqual([]);
  });
});

test("total adds the series whose labels are as wished, and no infinities", () => {
  const { samples } = reading(0, 'a{s="0"} 1', 'a{s="14"} 2', "a 4", 'a{s="x"} NaN', 'b{s="0"} 8');
  expect(total(samples, "a")).toBe(7);
  expect(total(samples, "a", { s: "14" })).toBe(2);
  expect(total(samples, "a", { s: (value) => value !== "0" })).toBe(6);
  expect(total(samples, "none")).toBe(0);
});

describe("quantile", () => {
  const page = (...counts: number[]) =>
    ["0.1", "0.5", "1", "+Inf"].flatMap((le, index) => [
      `d_bucket{le="${le}",i="1"} ${counts[index]}`,
      `d_bucket{le="${le}",i="2"} ${counts[index]}`,
    ]);
  const buckets = (...counts: number[]) => bucketsOf(parseMetrics(page(...counts).join("\n")), "d");

  test("spreads values evenly within their bucket, over the series of all instances", () => {
    expect(buckets(10, 10, 10, 10)[0]).toEqual({ le: 0.1, count: 20 });
    expect(quantile(0.5, buckets(10, 10, 10, 10))).toBeCloseTo(0.05);
    expect(quantile(0.75, buckets(50, 100, 100, 100))).toBeCloseTo(0.3);
    expect(quantile(1, buckets(50, 100, 100, 100))).toBeCloseTo(0.5);
  });

  test("skips buckets that nothing fell into", () => {
    expect(quantile(0, buckets(0, 0, 8, 8))).toBeCloseTo(0.5);
    expect(quantile(0.5, buckets(0, 0, 8, 8))).toBeCloseTo(0.75);
  });

  test("says the last bound for what lies above it, and nothing where nothing was counted", () => {
    expect(quantile(0.99, buckets(0, 0, 0, 5))).toBe(1);
    expect(quantile(0.99, buckets(0, 0, 0, 0))).toBeUndefined();
    expect(quantile(0.99, [])).toBeUndefined();
  });
});
