import { expect, test } from "vitest";
import { parsePosition, positionToHex } from "./position.ts";
import { ReplicaLag } from "./replica-lag.ts";

test("a replica is as old as the last place of its primary that it shows", () => {
  const lag = new ReplicaLag();
  expect(lag.at(0)).toBe(Number.POSITIVE_INFINITY);
  lag.primaryAt(1000, 50n);
  lag.replayed(49n);
  expect(lag.at(1000)).toBe(Number.POSITIVE_INFINITY);
  lag.primaryAt(1500, 60n);
  lag.replayed(59n);
  expect(lag.at(1600)).toBe(600);
  lag.replayed(60n);
  expect(lag.at(1600)).toBe(100);
});

test("a replica of an idle primary does not grow old, and one that hangs does, however long", () => {
  const lag = new ReplicaLag();
  for (let time = 0; time <= 100_000; time += 500) {
    lag.primaryAt(time, 7n);
    lag.replayed(7n);
  }
  expect(lag.at(100_000)).toBe(0);
  for (let time = 100_500; time <= 200_000; time += 500) {
    lag.primaryAt(time, BigInt(time));
    lag.replayed(7n);
  }
  expect(lag.at(200_000)).toBe(100_000);
  lag.replayed(200_000n);
  expect(lag.at(200_000)).toBe(0);
});

test("positions are read as PostgreSQL writes them, and sort as text", () => {
  expect(parsePosition("16/B374D848")).toBe(0x16_b374_d848n);
  expect(["0/FFFFFFFF", "1/0"].map((text) => positionToHex(parsePosition(text)))).toEqual([
    "00000000ffffffff",
    "0000000100000000",
  ]);
  expect(() => parsePosition("")).toThrow("not a position");
});
