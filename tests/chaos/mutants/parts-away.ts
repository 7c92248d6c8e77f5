import { substitute } from "./substitute.ts";

// The limits insist on Redis.
substitute("gateway/limits/limiter.ts", [
  "return counted(await this.#local.take(claims, cost), false);",
  'throw new Error("there are no limits without Redis");',
]);

// A database that is away is a fault of nobody in particular.
substitute("kit/db/errors.ts", [
  'if (isConnectionError(error)) return unavailable("the database is not available", error);',
  "if (isConnectionError(error)) return internal(error);",
]);

// The relay gives a batch up when Kafka has not taken it three times, and goes on with the next.
substitute("kit/events/relay.ts", [
  "!(await this.#trySend(batch.records)); tries += 1",
  "tries < 3 && !(await this.#trySend(batch.records)); tries += 1",
]);

// Spans that cannot be sent are a fault of the process.
substitute("observability/traces-sdk.ts", [
  "setGlobalErrorHandler((error) =>",
  "setGlobalErrorHandler((error) => { throw error; }); void ((error: unknown) =>",
]);

// The work is dealt out as if there were always two workers.
substitute("kit/events/assigner.ts", [
  "const assignment = assignments.get(takers[turn % takers.length] as string) as Record<string, number[]>;",
  "const assignment: Record<string, number[]> = assignments.get(takers[turn % 2] as string) ?? {};",
]);
