import { overload } from "../overload.ts";
import { jaegerAway } from "./jaeger.ts";
import { kafkaAway } from "./kafka.ts";
import { poolsExhausted, postgresAway } from "./postgres.ts";
import { redisAway } from "./redis.ts";
import type { Finding, Size, Stage } from "./stage.ts";
import { workerAway } from "./worker.ts";

/** What can be away, by the goal that says what must hold then. */
export const scenarios = {
  R8: { title: "Redis is killed and comes back empty, then hangs", run: redisAway },
  R9: { title: "Kafka is killed", run: kafkaAway },
  R10: { title: "PostgreSQL is killed, hangs, has no connection left", run: postgresAway },
  pools: { title: "a table is held, and a crowd exhausts the pools", run: poolsExhausted },
  R11: { title: "Jaeger refuses, hangs, is slow, is killed", run: jaegerAway },
  R12: { title: "three times what the mesh can do", run: overload },
  worker: { title: "one of two workers is killed", run: workerAway },
} as const satisfies Record<string, { title: string; run(stage: Stage, size: Size): Promise<Finding> }>;

/** Plays one of them; whatever becomes of it, nothing of it goes on after it. */
export async function play(stage: Stage, name: keyof typeof scenarios, size: Size): Promise<Finding> {
  try {
    return await scenarios[name].run(stage, size);
  } finally {
    await stage.quieten();
  }
}
