import type { ConsumerMiddleware, Delivery, Preparation } from "../chain.ts";

/** Passes over events that do not concern the group: they leave no span, no inbox row and no figure. */
export const passOver: ConsumerMiddleware = {
  name: "passOver",
  wrap:
    (next, { preparation }) =>
    async (delivery) =>
      concerns(preparation, delivery) ? next(delivery) : { result: "passed" },
};

/** What cannot be told is the group's: the failure takes its way to the dead letters there. */
function concerns(preparation: Preparation<unknown> | undefined, { meta, value, signal }: Delivery): boolean {
  try {
    return preparation?.concerns?.({ meta, value, signal }) ?? true;
  } catch {
    return true;
  }
}
