export { Code, ConnectError } from "@connectrpc/connect";
export { Taskmesh, type TaskmeshOptions } from "./client.ts";
export { fieldViolationsOf, reasonOf } from "./errors.ts";
export type { Tokens } from "./session.ts";
export { type WatchOptions, watch } from "./watch.ts";
