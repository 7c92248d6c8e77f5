/**
 * What one call costs the gateway, Envoy and a service at its end, in CPU time: `node tests/bench/hot-path.ts`.
 * CPU time hardly changes while other work wants the cores, so it shows what a change to the hot path is worth.
 * `--requests 10000` for each round, `--rounds 3`, `--only get,grpc`, `--profile FOLDER` for V8's CPU profiles.
 */
import { parseArgs } from "node:util";
import { testIssuer } from "#kit/auth/testing.ts";
import { newId } from "#kit/id.ts";
import { until } from "../_util/until.ts";
import { type Call, callsOf } from "./calls.ts";
import { CpuMeter } from "./cpu-time.ts";
import { type Running, startEchoMesh } from "./echo-mesh.ts";
import { quantile } from "./ratio.ts";
import { Stage } from "./stage.ts";
import { useOwnPartsOnly } from "./surroundings.ts";

const { values } = parseArgs({
  options: {
    requests: { type: "string", default: "10000" },
    rounds: { type: "string", default: "3" },
    only: { type: "string" },
    profile: { type: "string" },
  },
});
const requests = Number(values.requests);
const rounds = Number(values.rounds);

async function main(stage: Stage): Promise<void> {
  useOwnPartsOnly();
  if (values.profile !== undefined) process.env.NODE_OPTIONS = `--cpu-prof --cpu-prof-dir=${values.profile}`;
  const { jwks, token } = testIssuer();
  const mesh = await stage.start("Starting a gateway and an echo service", () =>
    startEchoMesh(stage.folder, JSON.stringify(jwks)),
  );
  const calls = await callsOf(mesh.url, token(), newId());
  for (const call of calls) {
    if (values.only?.split(",").includes(call.name) ?? true) await measure(mesh, call);
    call.close?.();
  }
}

async function measure(mesh: Running, call: Call): Promise<void> {
  await until(`an answer to ${call.name}`, async () => (await call.once()) || undefined, { everyMs: 50 });
  // The first thousands run code that is still cold.
  await call.many(requests);
  const taken: Record<string, number>[] = [];
  for (let round = 0; round < rounds; round++) {
    const meter = new CpuMeter(() => mesh.pids);
    await meter.during(() => call.many(requests));
    taken.push(meter.each(requests));
  }
  const cells = [...mesh.pids.keys()].map((name) => {
    const all = taken.map((each) => each[name] ?? 0);
    return `${name} ${Math.round(quantile(all, 0.5))} (${all.join(" ")})`;
  });
  process.stdout.write(`${call.name}: ${cells.join(", ")} µs\n`);
}

const stage = new Stage();
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
  process.on(signal, () => void stage.close().then(() => process.exit(130)));
}
try {
  await main(stage);
} finally {
  await stage.close();
}
