import { testIssuer } from "#kit/auth/testing.ts";
import { newId } from "#kit/id.ts";
import { until } from "../../_util/until.ts";
import { CpuMeter, generator, noteEach } from "../cpu-time.ts";
import { startEchoMesh, startPlainEdge } from "../echo-mesh.ts";
import { closedLoop, type Load, load } from "../load.ts";
import type { Finding, Measure } from "../measure.ts";
import { startPeer } from "../peers/start-peer.ts";
import { answersOf, type Effort, ratioOf } from "../ratio.ts";
import { rateFigure, reportRound } from "../report.ts";
import type { Stage } from "../stage.ts";

/** P2: what the way through the gateway costs when nothing is at its end. */
export const gatewayShare: Measure = {
  id: "P2",
  title: "read a task: Envoy → gateway → Envoy → gRPC echo ÷ Envoy → fastify echo",
  ours: "gateway",
  peer: "plain",
  seconds: 6,
  run: async (stage, effort) => {
    await using part = stage.part();
    return await run(part, effort);
  },
};

async function run(stage: Stage, effort: Effort): Promise<Finding> {
  const { seconds } = effort;
  const { jwks, token } = testIssuer();
  const path = `/v1/tasks/${newId()}`;
  const headers = { authorization: `Bearer ${token()}` };
  const mesh = await stage.start("Starting a gateway and an echo service", () =>
    startEchoMesh(stage.folder, JSON.stringify(jwks)),
  );
  const answer = await steadyAnswer(mesh.url + path, headers);
  const { plain, plainPid } = await startPlain(stage, answer);
  await steadyAnswer(plain.url + path, headers);

  const side = (url: string): Load => ({ url: url + path, headers, seconds, check: (body) => body === answer });
  const meshCpu = new CpuMeter(() => new Map([...mesh.pids, generator]));
  const plainCpu = new CpuMeter(() => new Map([...plain.pids, ["fastify", plainPid], generator]));
  const metered = (meter: CpuMeter, url: string) => (counted: boolean) =>
    counted ? meter.during(() => load(side(url))) : load(side(url));
  const ratio = await ratioOf({
    effort,
    ours: metered(meshCpu, mesh.url),
    peer: metered(plainCpu, plain.url),
    onRound: (round, result) => reportRound(gatewayShare, effort.rounds, round, result),
  });

  const cpu = { ours: meshCpu.each(answersOf(ratio, "ours")), peer: plainCpu.each(answersOf(ratio, "peer")) };
  const notes = [
    closedLoop,
    `signed in, without tracing; both sides answer the same ${Buffer.byteLength(answer)} bytes`,
    ...noteEach("CPU of each read through the gateway", cpu.ours),
    ...noteEach("CPU of each plain read", cpu.peer),
  ];
  return {
    figures: [rateFigure(ratio, { atLeast: 0.5 })],
    notes,
    details: { ratio, cpuMicrosecondsEach: cpu, answer },
  };
}

async function startPlain(stage: Stage, answer: string) {
  const echo = await stage.start("Starting a plain echo", () => startPeer("echo-http", { BENCH_ANSWER: answer }));
  const plain = await stage.start("Starting an Envoy before it", () => startPlainEdge(stage.folder, new URL(echo.url)));
  return { plain, plainPid: echo.pid };
}

/** The answer, once it has come ten times in a row: whoever is behind Envoy is taken for well, and is connected. */
async function steadyAnswer(url: string, headers: Record<string, string>): Promise<string> {
  let inRow = 0;
  return until(
    `a steady answer at ${url}`,
    async () => {
      const response = await fetch(url, { headers, signal: AbortSignal.timeout(2000) });
      const answer = await response.text();
      inRow = response.status === 200 ? inRow + 1 : 0;
      return inRow === 10 ? answer : undefined;
    },
    { everyMs: 50 },
  );
}
