import { parseArgs } from "node:util";
import { play, scenarios } from "./away/scenarios.ts";
import { Stage } from "./away/stage.ts";

const usage = `Takes parts away from a mesh of its own, under load, or offers it too much, and says what that came to.

  npm run chaos -- [R8 R9 R10 R11 R12 worker] [--seconds 60] [--rps 100]
`;
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { seconds: { type: "string", default: "60" }, rps: { type: "string", default: "100" } },
});
// One trace of twenty, as a busy mesh would: a refusal is cheap, and to tell of it is not.
const ownLimits = { OVERLOAD_MIN_CALLS: process.env.OVERLOAD_MIN_CALLS ?? "", OTEL_TRACES_SAMPLER_ARG: "0.05" };
// What can be taken away stands behind relays, which take their share of the processors too.
const withoutRelays = { ...ownLimits, MESH_FAULTS: "false" };
const size = { seconds: Number(values.seconds), rps: Number(values.rps) };
const names = positionals.length > 0 ? positionals : Object.keys(scenarios);
const isKnown = (name: string): name is keyof typeof scenarios => name in scenarios;
if (!names.every(isKnown) || !(size.seconds > 0 && size.seconds <= 600) || !(size.rps > 0)) {
  process.stderr.write(usage);
  process.exit(2);
}

// What other scenarios offer is no overload, however busy the machine is.
const env = names.every((name) => name === "R12") ? withoutRelays : names.includes("R12") ? ownLimits : {};
const stage = await Stage.open({ env });
for (const signal of ["SIGINT", "SIGTERM"] as const) {
  process.once(signal, () => void stage.close().finally(() => process.exit(130)));
}
try {
  for (const name of names) {
    process.stdout.write(
      `\n${name}: ${scenarios[name].title} (${size.seconds} s each, ${size.rps} requests a second)\n`,
    );
    const { figures, violations } = await play(stage, name, size).catch(({ message }) => ({
      figures: {},
      violations: [message],
    }));
    for (const [what, figure] of Object.entries(figures)) process.stdout.write(`  ${what.padEnd(40)} ${figure}\n`);
    for (const violation of violations) process.stdout.write(`  NOT AS PROMISED: ${violation}\n`);
    if (violations.length > 0) process.exitCode = 1;
  }
} finally {
  await stage.close();
}
