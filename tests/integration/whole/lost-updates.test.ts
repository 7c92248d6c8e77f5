import { afterAll, beforeAll, expect, it, vi } from "vitest";
import { newId } from "#kit/id.ts";
import { rest } from "./calls.ts";
import { type Person, type Stack, startStack } from "./stack.ts";

// The planted bug: the service takes every version for the current one.
const planted = vi.hoisted(() => ({ bug: false }));
vi.mock("#kit/grpc/precondition.ts", async (original) => {
  const real = await original<typeof import("#kit/grpc/precondition.ts")>();
  const mustMatch: typeof real.mustMatch = (...args) => (planted.bug ? undefined : real.mustMatch(...args));
  return { ...real, mustMatch };
});

const clients = 50;
const passing = [409, 503, 504];

let stack: Stack;
let ada: Person;
beforeAll(async () => {
  stack = await startStack();
  ada = await stack.person();
});
afterAll(() => stack.close());

/** Every client reads the task, adds one to the number in its description, and does so again when somebody was faster. */
async function countTogether() {
  const { body: task } = await rest(stack, ada, "POST /v1/tasks", { body: { title: "counter", description: "0" } });
  const path = `/v1/tasks/${task.taskId}`;
  const winners: string[] = [];
  let refusals = 0;
  const addOne = async (): Promise<void> => {
    for (;;) {
      const seen = (await rest(stack, ada, `GET ${path}`)).body;
      const body = { description: String(Number(seen.description) + 1) };
      const headers = { "if-match": `"${seen.etag}"`, "idempotency-key": newId() };
      let reply = await rest(stack, ada, `PATCH ${path}`, { body, headers });
      // Nobody knows whether it was done: the same key finds out.
      while (passing.includes(reply.status)) reply = await rest(stack, ada, `PATCH ${path}`, { body, headers });
      if (reply.status === 200) {
        winners.push(seen.etag);
        return;
      }
      expect(reply.status).toBe(412);
      refusals += 1;
    }
  };
  await Promise.all(Array.from({ length: clients }, addOne));
  const { body } = await rest(stack, ada, `GET ${path}`);
  return { counted: Number(body.description), revision: Number(body.revision), winners, refusals };
}

it("fifty clients that change one task lose no update: of each version exactly one change is made", async () => {
  const { counted, revision, winners, refusals } = await countTogether();
  expect([counted, revision]).toEqual([clients, clients + 1]);
  expect(new Set(winners).size).toBe(clients);
  expect(refusals).toBeGreaterThan(0);
});

it("updates would get lost if versions were not compared", async () => {
  planted.bug = true;
  try {
    const { counted, winners } = await countTogether();
    expect(counted).toBeLessThan(clients);
    expect(new Set(winners).size).toBeLessThan(winners.length);
  } finally {
    planted.bug = false;
  }
});
