import { expect, it } from "vitest";
import type { EntityManager } from "#kit/db/database.ts";
import { type ChainContext, type ConsumerMiddleware, compose, type Delivery, type Preparation } from "../chain.ts";
import { prepare } from "./prepare.ts";

const em = {} as EntityManager;
const transaction: ConsumerMiddleware = {
  name: "transaction",
  wrap: (next) => (delivery) => next({ ...delivery, em }),
};

function run(preparation: Preparation<unknown> | undefined) {
  const seen: unknown[] = [];
  const handle = async ({ prepared }: { prepared: unknown }) => void seen.push(prepared);
  const step = compose([prepare, transaction], handle, { preparation } as ChainContext);
  return { seen, outcome: step({ value: Uint8Array.of(1) } as Delivery) };
}

it("hands what was prepared, before there is a transaction, to the handler", async () => {
  const { seen, outcome } = run({ prepare: async (event) => ({ size: event.value.length, inside: "em" in event }) });
  expect(await outcome).toEqual({ result: "done" });
  expect(seen).toEqual([{ size: 1, inside: false }]);
});

it("lets no effect happen when the preparation fails, and none wait for it when there is none", async () => {
  const failing = run({ prepare: () => Promise.reject(new Error("away")) });
  await expect(failing.outcome).rejects.toThrow("away");
  expect(failing.seen).toEqual([]);
  const without = run(undefined);
  expect(await without.outcome).toEqual({ result: "done" });
  expect(without.seen).toEqual([undefined]);
});
