import type { ConsumerMiddleware } from "../chain.ts";

/** Runs what the group does before the transaction of its effect; the handler gets the answer. */
export const prepare: ConsumerMiddleware = {
  name: "prepare",
  wrap: (next, { preparation }) =>
    preparation === undefined
      ? next
      : async (delivery) => next({ ...delivery, prepared: await preparation.prepare(delivery) }),
};
