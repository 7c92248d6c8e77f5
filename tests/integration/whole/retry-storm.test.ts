import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, describe, expect, it } from "vitest";
import { parse, stringify } from "yaml";
import { UserService } from "#gen/user/v1/user_service_pb.js";
import { testIssuer } from "#kit/auth/testing.ts";
import { unavailable } from "#kit/errors.ts";
import { service, startGrpcServer } from "#kit/grpc/server.ts";
import type { ServiceImpl } from "#kit/grpc/service.ts";
import { Lifecycle } from "#kit/lifecycle.ts";
import { until } from "../../_util/until.ts";
import { rest } from "./calls.ts";
import { type Person, type Stack, startStack } from "./stack.ts";

// A call on three hops: Envoy's edge to the gateway, the gateway to the task service, and that to the user service.
const callers = 30;
const thinkingMs = 100;

/** An instance of the user service, played: counts what reaches it, and answers or fails. */
interface Instance {
  host: string;
  port: number;
  attempts: number;
  broken: boolean;
}

let stack: Stack;
const lifecycle = { current: new Lifecycle() };
afterEach(async () => {
  await stack.close();
  await lifecycle.current.stop();
  lifecycle.current = new Lifecycle();
});

async function threeInstances(): Promise<Instance[]> {
  const identity = await stack.identity("user");
  const instances = [1, 2, 3].map(async () => {
    const instance: Instance = { host: "127.0.0.1", port: 0, attempts: 0, broken: false };
    const batchGetUsers: ServiceImpl<typeof UserService>["batchGetUsers"] = async () => {
      instance.attempts += 1;
      if (!instance.broken) return { users: [] };
      await sleep(thinkingMs);
      throw unavailable("broken by the test", undefined, 0);
    };
    const impl: Partial<ServiceImpl<typeof UserService>> = { batchGetUsers };
    const { port } = await startGrpcServer({
      host: "127.0.0.1",
      port: 0,
      services: [service(UserService, impl as ServiceImpl<typeof UserService>)],
      identity,
      tokens: testIssuer().verifier(),
      lifecycle: lifecycle.current,
    });
    instance.port = port;
    return instance;
  });
  const started = await Promise.all(instances);
  await stack.setEndpoints("user", started);
  return started;
}

async function startCalls(): Promise<{ ask: () => Promise<number> }> {
  const ada: Person = await stack.person();
  const { body } = await rest(stack, ada, "POST /v1/tasks", { body: { title: "shared" } });
  return { ask: async () => (await rest(stack, ada, `GET /v1/tasks/${body.taskId}/collaborators`)).status };
}

/** So many calls by all callers together, each of whom calls again when it was answered. */
async function load(count: number, ask: () => Promise<number>): Promise<number[]> {
  const statuses: number[] = [];
  let begun = 0;
  const caller = async () => {
    while (begun < count) {
      begun += 1;
      statuses.push(await ask());
    }
  };
  await Promise.all(Array.from({ length: callers }, caller));
  return statuses;
}

const attemptsOf = (instances: Instance[]) => instances.reduce((sum, { attempts }) => sum + attempts, 0);

/** Calls while every instance is broken; answers how many attempts reached them for each call. */
async function amplificationOfAnOutage(count: number): Promise<number> {
  const { ask } = await startCalls();
  const instances = await threeInstances();
  for (const instance of instances) instance.broken = true;
  const statuses = await load(count, ask);
  expect(statuses.filter((status) => status === 200)).toEqual([]);
  return attemptsOf(instances) / count;
}

describe("[beyond.18] an outage three hops away", () => {
  it("of one instance in three makes hardly more calls: it is taken out, hardly a call fails, and it comes back", async () => {
    stack = await startStack();
    const { ask } = await startCalls();
    const instances = await threeInstances();
    const [broken] = instances as [Instance, Instance, Instance];
    broken.broken = true;
    const ejected = until(
      "the broken instance to be taken out",
      async () => (await stack.stat("cluster.user.outlier_detection.ejections_active")) === 1,
      { everyMs: 20, timeoutMs: 100_000 },
    );
    const statuses = await load(240, ask);
    await ejected;
    expect(attemptsOf(instances) / statuses.length).toBeLessThanOrEqual(1.2);
    // The third failure in a row takes it out: of the first two, either's second try may go to it as well.
    const takenOut = await stack.stat("cluster.user.outlier_detection.ejections_enforced_total");
    expect(statuses.filter((status) => status !== 200).length).toBeLessThanOrEqual(2 * takenOut);

    broken.broken = false;
    const before = broken.attempts;
    const calledAgain = async () => {
      await ask();
      return broken.attempts > before;
    };
    await until("it to be called again", calledAgain, { everyMs: 50, timeoutMs: 100_000 });
  });

  it("of all instances is no storm: of the three hops one tries again, once", async () => {
    stack = await startStack();
    const amplification = await amplificationOfAnOutage(60);
    expect(amplification).toBeLessThanOrEqual(2);
  });

  it("would be a storm if every hop tried five times more, without a budget", async () => {
    stack = await startStack({ alterEnvoy: withoutRestraint });
    const amplification = await amplificationOfAnOutage(30);
    expect(amplification).toBeGreaterThan(2);
  });
});

/** The planted bug. */
function withoutRestraint(yaml: string): string {
  const altered = JSON.stringify(parse(yaml), (name, value) => {
    if (name === "retry_policy")
      return { ...value, num_retries: 5, retry_on: `${value.retry_on},5xx,unavailable`, per_try_timeout: undefined };
    if (name === "thresholds") return [{ ...value[0], retry_budget: undefined, max_retries: 100_000 }];
    return value;
  });
  return stringify(JSON.parse(altered));
}
