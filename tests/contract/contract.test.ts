import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { InstanceState } from "../../cli/runner/state.ts";
import { TestMesh } from "../_util/mesh.ts";
import { openAccount } from "./accounts.ts";
import { releasedContract } from "./baseline/released.ts";
import { nameOf, publicMethods } from "./protocols.ts";
import { describeFinding } from "./report.ts";
import { fuzzEnvironment, run } from "./run.ts";
import { schemathesis } from "./schemathesis/runner.ts";

const calls = 20_000;
const seed = 20_261_121;
/** Ten times what `npm run fuzz` allows: here other tests may have the processors. */
const limits = { slowMs: 10_000, shared: true };

/** Every process with its pid: another pid is another process, for the one before is gone. */
const processes = (instances: InstanceState[]) =>
  instances.map(({ name, pid, restarts }) => `${name} ${pid} ${restarts}`);

const oldCalls = 2_000;
const { release, methods: released } = releasedContract();

describe("[beyond.05] one contract in four protocols", () => {
  let mesh: TestMesh;
  beforeAll(async () => {
    mesh = await TestMesh.start({ env: fuzzEnvironment });
  });
  afterAll(() => mesh?.stop());

  it(`answers ${calls} generated calls the same in all of them, and with no fault`, async () => {
    const before = processes((await mesh.status()).instances);
    const report = await run({ edge: mesh.edge, seed, calls, limits });
    process.stdout.write(`contract: seed ${seed}\n${report.text()}\n`);
    expect(report.findings.map(describeFinding(seed))).toEqual([]);
    expect(report.calls).toBeGreaterThanOrEqual(calls);
    expect(report.starved).toBeLessThan(calls / 1000);
    expect([...report.byMethod.keys()].sort()).toEqual(publicMethods.map(nameOf).sort());
    expect(processes((await mesh.status()).instances)).toEqual(before);
  });

  it(`answers clients of ${release} as they expect`, async () => {
    const report = await run({ edge: mesh.edge, seed, calls: oldCalls, limits, methods: released, older: true });
    expect(report.findings.map(describeFinding(seed))).toEqual([]);
    expect(report.calls).toBeGreaterThanOrEqual(oldCalls);
    expect(report.byProtocol.size).toBe(6);
    expect([...report.byMethod.keys()].sort()).toEqual(released.map(nameOf).sort());
  });

  it("gives schemathesis nothing to complain of", async () => {
    const { accessToken: token } = await openAccount(mesh.edge, "own");
    const { paths } = (await (await fetch(`${mesh.edge}/openapi.json`)).json()) as { paths: Record<string, object> };
    const streams = ["/v1/live", "/v1/notifications:watch"];
    const apart = ["/v1/auth/logout", ...streams];
    const others = await schemathesis({
      edge: mesh.edge,
      token,
      seed,
      examples: 15,
      chosen: apart.flatMap((path) => ["--exclude-path", path]),
    });
    expect(others.code, others.output).toBe(0);
    const count = Object.entries(paths)
      .filter(([path]) => !apart.includes(path))
      .flatMap(([, item]) => Object.keys(item)).length;
    expect(others.output).toContain(`Tested: ${count}`);
    // By itself, for it ends the session of the token.
    const logout = await schemathesis({
      edge: mesh.edge,
      token,
      seed,
      examples: 15,
      chosen: ["--include-path", "/v1/auth/logout"],
    });
    expect(logout.code, logout.output).toBe(0);
  });
});
