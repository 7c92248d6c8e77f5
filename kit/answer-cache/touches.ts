import { AsyncLocalStorage } from "node:async_hooks";
import type { Change } from "./change.ts";

/** The write that is under way in this call. */
export const writing = new AsyncLocalStorage<Change>();

/** Says for whom the write under way changes something, before it is committed. Without effect outside of a call. */
export function touches(userIds: readonly string[]): void {
  writing.getStore()?.touches(userIds);
}
