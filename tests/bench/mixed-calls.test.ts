import { expect, test } from "vitest";
import { newId } from "#kit/id.ts";
import type { Call } from "../../cli/load/http.ts";
import { MixedCalls } from "./mixed-calls.ts";

const person = { userId: newId(), token: "token" };

/** An edge that answers right, but for what it is told to say otherwise. */
function edge() {
  const state = { title: "", taskId: "", status: 200, change: {} as Record<string, unknown> };
  const paths: string[] = [];
  const bodyOf = ({ method, path, body }: Call): unknown => {
    const task = { taskId: state.taskId, ownerId: person.userId, title: state.title, status: "STATUS_OPEN" };
    if (method === "POST") {
      state.title = (body as { title: string }).title;
      state.taskId = newId();
      return { ...task, title: state.title, taskId: state.taskId };
    }
    if (path.startsWith("/v1/tasks?")) return { tasks: [{ ...task, ...state.change }] };
    if (path.startsWith("/v1/notifications")) return {};
    return path === "/v1/me" ? { userId: person.userId } : path === "/v1/apiKeys" ? { apiKeys: [] } : task;
  };
  const call = async (asked: Call) => {
    paths.push(asked.path.replace(/\?.*|[0-9a-f-]{36}/, ""));
    return { status: state.status, body: JSON.stringify({ ...(bodyOf(asked) as object), ...state.change }) };
  };
  return { call, state, paths };
}

test("calls of all services are made, nine of ten of them reads, and right answers are seen to be right", async () => {
  const answers = edge();
  const calls = await MixedCalls.prepare(answers, [person]);
  const first = answers.state.taskId;
  for (let index = 0; index < 1000; index++) {
    answers.state.taskId = first;
    expect(await calls.send(answers, index)).toBe(undefined);
  }
  expect(new Set(answers.paths)).toEqual(
    new Set(["/v1/tasks", "/v1/tasks/", "/v1/notifications", "/v1/me", "/v1/apiKeys"]),
  );
  expect(calls.created.size).toBeGreaterThan(70);
  expect(calls.created.size).toBeLessThan(130);
});

test.each([
  ["get", { taskId: newId() }],
  ["list", { ownerId: newId(), tasks: [] }],
  ["profile", { userId: newId() }],
  ["keys", { apiKeys: [{}] }],
  ["inbox", { notifications: [{}] }],
  ["create", { title: "Another" }],
] as const)("a wrong answer to %s is seen, and so is one of another status", async (kind, change) => {
  const answers = edge();
  const calls = await MixedCalls.prepare(answers, [person]);
  answers.state.change = change;
  expect(await calls.send(answers, 0, kind)).toContain("wrong body");
  Object.assign(answers.state, { change: {}, status: 503 });
  expect(await calls.send(answers, 0, kind)).toContain("503");
});

test("a task that was there already is no new one", async () => {
  const answers = edge();
  const calls = await MixedCalls.prepare(answers, [person]);
  answers.state.change = { taskId: answers.state.taskId };
  expect(await calls.send(answers, 0, "create")).toContain("wrong body");
});
