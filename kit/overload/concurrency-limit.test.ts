import { describe, expect, it } from "vitest";
import { ConcurrencyLimit } from "./concurrency-limit.ts";

const options = { min: 25, max: 100, loopDelayMs: 30 };

/** A limit whose looks come when the test says so, each so many milliseconds after the one before. */
function limitAt({ calls }: { calls: number }) {
  let now = 0;
  const limit = new ConcurrencyLimit({ ...options, now: () => now });
  for (let n = 0; n < calls; n++) limit.enter();
  // Its own timer would look at the same clock.
  limit.close();
  const look = (...distances: number[]) => {
    for (const distance of distances) {
      now += distance;
      limit.look();
    }
  };
  return { limit, look };
}

describe("the limit of calls under way", () => {
  it("begins at four times its least, and has room for each share of it", () => {
    const { limit } = limitAt({ calls: 50 });
    expect(limit).toMatchObject({ limit: 100, inFlight: 50 });
    expect(limit.hasRoom(0.51)).toBe(true);
    expect(limit.hasRoom(0.5)).toBe(false);
  });

  it("falls below what is under way when every look was late, and down to its least", () => {
    const { limit, look } = limitAt({ calls: 50 });
    look(60, 60);
    expect(limit.limit).toBe(25);
    for (let n = 0; n < 20; n++) look(60, 60);
    expect(limit.limit).toBe(25);
  });

  it("begins at its greatest where that is less", () => {
    const limit = new ConcurrencyLimit({ ...options, max: 30 });
    expect(limit.limit).toBe(30);
  });

  it("rises only where it was needed", () => {
    const { limit, look } = limitAt({ calls: 10 });
    look(60, 60);
    const fallen = limit.limit;
    for (let n = 0; n < 100; n++) look(20);
    expect(limit.limit).toBe(fallen);
  });

  it("does not fall for one long computation", () => {
    const { limit, look } = limitAt({ calls: 50 });
    look(500, 20, 20, 20, 20, 20, 20);
    expect(limit.limit).toBe(100);
  });

  it("falls when most of the answers were late, though the loop is not, to what is answered in time at that pace", () => {
    const { limit, look } = limitAt({ calls: 50 });
    // 20 in 100 ms, where 150 ms are in time: 30 can be under way.
    for (let n = 0; n < 20; n++) limit.leave(n < 11 ? 151 : 149, 150);
    look(20, 20, 20, 20, 20);
    expect(limit.limit).toBe(30);
  });

  it("falls by a tenth at least, and to half at most", () => {
    const slightly = limitAt({ calls: 50 });
    for (let n = 0; n < 20; n++) slightly.limit.leave(1_001, 1_000);
    slightly.look(20, 20, 20, 20, 20);
    expect(slightly.limit.limit).toBe(45);
    const deeply = limitAt({ calls: 50 });
    for (let n = 0; n < 20; n++) deeply.limit.leave(11, 10);
    deeply.look(20, 20, 20, 20, 20);
    expect(deeply.limit.limit).toBe(25);
  });

  it("does not fall for failures, nor for a few late answers", () => {
    const { limit, look } = limitAt({ calls: 50 });
    for (let n = 0; n < 20; n++) limit.leave(undefined, 100);
    for (let n = 0; n < 9; n++) limit.leave(101, 100);
    look(20, 20, 20, 20, 20);
    expect(limit.limit).toBe(100);
  });

  it("rises again to its greatest once nothing is late", () => {
    const { limit, look } = limitAt({ calls: 200 });
    look(60, 60);
    expect(limit.limit).toBe(50);
    const answerInTime = () => {
      for (let n = 0; n < 10; n++) limit.leave(100, 100);
      look(20, 20, 20, 20, 20);
    };
    answerInTime();
    expect(limit.limit).toBe(58);
    for (let n = 0; n < 5; n++) answerInTime();
    expect(limit.limit).toBe(100);
  });

  it("waits for answers where they are few, a second at most", () => {
    const { limit, look } = limitAt({ calls: 50 });
    look(60, 60);
    for (let n = 0; n < 49; n++) look(20);
    expect(limit.limit).toBe(25);
    look(20);
    expect(limit.limit).toBe(30);
  });

  it("forgets the queue, and looks no more, once nothing is under way", async () => {
    const limit = new ConcurrencyLimit({ ...options, loopDelayMs: -1_000 });
    for (let n = 0; n < 50; n++) limit.enter();
    await expect.poll(() => limit.limit, { timeout: 20_000 }).toBeLessThan(50);
    for (let n = 0; n < 50; n++) limit.leave(1, 100);
    await expect.poll(() => limit.limit, { timeout: 20_000 }).toBe(100);
    limit.close();
  });
});
