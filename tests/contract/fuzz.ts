/** `npm run fuzz`: generated calls in every protocol. `-- --help` tells what can be chosen. */
import { parseArgs } from "node:util";
import { TestMesh } from "../_util/mesh.ts";
import { nameOf, publicMethods } from "./protocols.ts";
import { describeFinding, type Finding, type Report } from "./report.ts";
import { fuzzEnvironment, run } from "./run.ts";

const usage = `npm run fuzz -- [options]
  --calls N     calls to make, 1000000 unless told otherwise
  --seed N      of what is called; by default a new one
  --world N     only this part of the run: what a finding names
  --rpc NAME    only this one: task.v1.TaskService/CreateTask; may be given more than once
  --edge URL    a mesh that is there already; by default one of its own is started
`;
const limits = { slowMs: 1000, shared: false };
const everyMs = 10_000;

const { values } = parseArgs({
  options: {
    calls: { type: "string", default: "1000000" },
    seed: { type: "string", default: String(Date.now() % 2 ** 31) },
    world: { type: "string" },
    rpc: { type: "string", multiple: true },
    edge: { type: "string" },
    help: { type: "boolean" },
  },
});

async function main(): Promise<number> {
  const [calls, seed] = [Number(values.calls), Number(values.seed)];
  const methods = publicMethods.filter((method) => values.rpc?.includes(nameOf(method)) ?? true);
  if (!Number.isInteger(calls) || !Number.isInteger(seed) || methods.length === 0) {
    process.stderr.write(usage);
    return 2;
  }
  const mesh = values.edge === undefined ? await TestMesh.start({ env: fuzzEnvironment }) : undefined;
  const interrupted = () => void mesh?.stop().then(() => process.exit(130));
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, interrupted);
  try {
    const before = await processesOf(mesh);
    process.stdout.write(`seed       ${seed}\n`);
    const world = values.world === undefined ? undefined : Number(values.world);
    const begin = performance.now();
    const onProgress = progressOf(begin, { calls, seed });
    const edge = values.edge ?? (mesh as TestMesh).edge;
    const report = await run({
      edge,
      seed,
      calls: world === undefined ? calls : undefined,
      world,
      methods,
      limits,
      onProgress,
    });
    const seconds = (performance.now() - begin) / 1000;
    process.stdout.write(`${report.text()}\n`);
    process.stdout.write(`time       ${Math.round(seconds)} s, ${Math.round(report.calls / seconds)} calls a second\n`);
    const after = await processesOf(mesh);
    const gone = before.filter((process) => !after.includes(process));
    process.stdout.write(gone.length > 0 ? `ended      ${gone.join(", ")}\n` : "processes  all as before\n");
    return report.findings.length + gone.length > 0 ? 1 : 0;
  } finally {
    await mesh?.stop();
  }
}

async function processesOf(mesh: TestMesh | undefined): Promise<string[]> {
  return (await mesh?.status())?.instances.map(({ name, pid, restarts }) => `${name} ${pid} ${restarts}`) ?? [];
}

/** Tells each finding as soon as it is made, and now and then how far it is. */
function progressOf(begin: number, { calls, seed }: { calls: number; seed: number }): (report: Report) => void {
  let last = begin;
  let told = 0;
  return (report) => {
    const now = performance.now();
    for (; told < report.findings.length; told++) {
      process.stdout.write(`${describeFinding(seed)(report.findings[told] as Finding)}\n`);
    }
    if (now - last < everyMs) return;
    last = now;
    const rate = Math.round((report.calls / (now - begin)) * 1000);
    process.stderr.write(`${report.calls} of ${calls}, ${rate} a second, ${report.findings.length} findings\n`);
  };
}

if (values.help) process.stdout.write(usage);
else process.exitCode = await main();
