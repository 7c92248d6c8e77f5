import { Calls, type Mix } from "./calls.ts";
import { HttpClient } from "./http.ts";
import { type LoadResult, openLoop, type Phase, type SecondOfLoad } from "./open-loop.ts";
import { registerPeople, renewTokens } from "./people.ts";
import { type Verification, verify } from "./verify.ts";

export interface LoadOptions {
  url: URL;
  phases: readonly Phase[];
  mix: Mix;
  users: number;
  connections: number;
  seed: number;
  /** Whether to look for every write and notification afterwards. */
  verify: boolean;
  signal?: AbortSignal;
  progress: (line: string) => void;
}

export interface LoadReport extends LoadResult {
  url: string;
  seed: number;
  verification?: Verification;
}

const renewEveryMs = 10_000;

/** Makes accounts, puts the load on, and looks at what came of it. */
export async function runLoad(options: LoadOptions): Promise<LoadReport> {
  const { url, phases, mix, users, connections, seed, signal, progress } = options;
  const client = new HttpClient(url, connections);
  let renewal: NodeJS.Timeout | undefined;
  try {
    const people = await registerPeople(client, users, { progress, signal });
    progress(`${people.length} accounts are registered`);
    const calls = new Calls(client, people, mix, seed);
    let isRenewing = false;
    const renew = async () => {
      // A refresh token is good once: never two rounds side by side.
      if (isRenewing) return;
      isRenewing = true;
      // A refusal shows in the calls that follow.
      await renewTokens(client, people).catch(() => {});
      isRenewing = false;
    };
    renewal = setInterval(() => void renew(), renewEveryMs);
    const result = await openLoop({
      phases,
      send: (index) => calls.send(index),
      ...(signal && { signal }),
      onSecond: (second) => progress(lineOf(second)),
    });
    const report: LoadReport = { url: url.origin, seed, ...result };
    if (options.verify) report.verification = await verify(client, people, calls.ledger.tasks, { progress });
    return report;
  } finally {
    clearInterval(renewal);
    client.close();
  }
}

function lineOf({ second, right, failed, underWay, p99 }: SecondOfLoad): string {
  return `${String(second).padStart(4)} s  ${right}/s  failed ${failed}  under way ${underWay}  p99 ${p99.toFixed(1)} ms`;
}
