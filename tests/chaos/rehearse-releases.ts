/**
 * `npm run release:rehearse`: rounds of rolling releases over every process and Envoy, under an open-loop load.
 * `-- --rps 500 --rounds 3 --profile light` are the figures that count; `--json` prints them for programs.
 */
import { parseArgs } from "node:util";
import { type LoadReport, runLoad } from "../../cli/load/run-load.ts";
import { askMesh } from "../../cli/runner/control.ts";
import { findHome } from "../../cli/runner/home.ts";
import type { ReleaseState } from "../../cli/runner/release/releases.ts";
import { TestMesh } from "../_util/mesh.ts";

const longest = 3600;
const { values } = parseArgs({
  options: {
    rps: { type: "string", default: "500" },
    rounds: { type: "string", default: "3" },
    users: { type: "string", default: "50" },
    profile: { type: "string", default: "light" },
    json: { type: "boolean", default: false },
  },
});
const [rate, rounds, users] = [values.rps, values.rounds, values.users].map(bounded) as [number, number, number];

function bounded(text: string): number {
  const number = Number(text);
  if (!Number.isInteger(number) || number < 1 || number > 10_000) throw new Error(`"${text}" must be from 1 to 10000`);
  return number;
}

const say = (line: string) => process.stderr.write(`${line}\n`);
const mesh = await TestMesh.start({ env: { OTEL_TRACES_SAMPLER_ARG: "0", MESH_PROFILE: values.profile } });
const stop = new AbortController();
process.once("SIGINT", () => stop.abort());
try {
  const begun = Promise.withResolvers<void>();
  const load = runLoad({
    url: new URL(mesh.edge),
    phases: [{ rate, seconds: longest }],
    mix: { read: 90, write: 10 },
    users,
    connections: 64,
    seed: 1,
    verify: true,
    signal: stop.signal,
    progress: (line) => {
      say(line);
      if (/^ *5 s/.test(line)) begun.resolve();
    },
  });
  await Promise.race([begun.promise, load]);
  const seconds: number[] = [];
  try {
    for (let round = 1; round <= rounds && !stop.signal.aborted; round++) {
      const start = performance.now();
      const ask = { kind: "rolling", services: [] } as const;
      await askMesh<ReleaseState>(findHome(mesh.environment.MESH_HOME), { command: "release", ask }, say);
      seconds.push(Math.round((performance.now() - start) / 1000));
      say(`round ${round} of ${rounds}: ${seconds.at(-1)} s`);
    }
  } finally {
    stop.abort();
  }
  report(await load, seconds);
} finally {
  await mesh.stop();
}

function report(result: LoadReport, seconds: readonly number[]): void {
  const { due, right, failed, failures, latency, rateKept, verification } = result;
  const unavailable = Object.entries(failures).reduce(
    (sum, [kind, n]) => sum + (/^503|UNAVAILABLE/.test(kind) ? n : 0),
    0,
  );
  const figures = {
    ...{ rps: rate, rounds: seconds.length, secondsOfRounds: seconds, profile: values.profile },
    ...{ requests: due, right, failed, unavailable, failures, rateKept },
    ...{ p50: latency.p50, p99: latency.p99, max: latency.max, verification },
  };
  if (values.json) process.stdout.write(`${JSON.stringify(figures, undefined, 2)}\n`);
  else {
    const lines = [
      `${rounds} rounds of every process and Envoy in ${seconds.join(", ")} s, at ${rate} requests a second (rate ${rateKept ? "" : "NOT "}kept)`,
      `failed requests: ${failed} of ${due} ${failed > 0 ? JSON.stringify(failures) : ""}, UNAVAILABLE among them: ${unavailable}`,
      `latency: p50 ${latency.p50} ms, p99 ${latency.p99} ms, max ${latency.max} ms`,
      `lost writes: ${verification?.lostWrites} of ${verification?.tasks} tasks; notifications: ${verification?.notifications} due, ${verification?.lostNotifications} lost, ${verification?.doubledNotifications} doubled`,
    ];
    process.stdout.write(`${lines.join("\n")}\n`);
  }
  const { lostWrites = 0, lostNotifications = 0, doubledNotifications = 0 } = verification ?? {};
  if (failed + lostWrites + lostNotifications + doubledNotifications > 0 || seconds.length < rounds)
    process.exitCode = 1;
}
