import { fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import type { LoadResult, Phase } from "../../../cli/load/open-loop.ts";
import type { SignedIn } from "../mixed-calls.ts";

/** What a crowd can be told, one order at a time. */
export type CrowdOrder =
  | { do: "meet"; edge: string; people: readonly SignedIn[] }
  | { do: "open"; users: number }
  | { do: "warmUp"; seconds: number }
  | { do: "run"; phase: Phase }
  | { do: "close" }
  | { do: "created" };

/** What it answers with. */
export type CrowdAnswers = {
  meet: unknown;
  open: unknown;
  warmUp: { answers: number; rate: number };
  /** `lost`: connections that the edge has closed meanwhile. */
  run: { result: LoadResult; lost: number };
  close: unknown;
  created: string[];
};

export interface Crowd {
  tell<K extends keyof CrowdAnswers>(order: Extract<CrowdOrder, { do: K }>): Promise<CrowdAnswers[K]>;
  stop(): Promise<void>;
}

/** Users in a process of their own, so that their work and the mesh's share cores and nothing else. */
export async function startCrowd(): Promise<Crowd> {
  const child = fork(fileURLToPath(new URL("crowd.ts", import.meta.url)), { execArgv: ["--max-old-space-size=1024"] });
  const ended = once(child, "exit");
  await once(child, "spawn");
  return {
    tell: async (order) => {
      const tooSoon = ended.then(() => {
        throw new Error(`the crowd ended while it was to ${order.do}`);
      });
      const answered = once(child, "message");
      child.send(order);
      const [reply] = await Promise.race([answered, tooSoon]);
      if (reply.error !== undefined) throw new Error(reply.error);
      return reply.answer;
    },
    stop: async () => {
      if (child.exitCode !== null || child.signalCode !== null) return;
      child.kill();
      await ended;
    },
  };
}
