import { expect, test } from "vitest";
import { parseMetrics } from "../../cli/metrics/parse.ts";
import { callsOf, spreadOf, spreadsBetween } from "./instance-calls.ts";

test("calls are those that somebody outside has made, over all methods and results", () => {
  const page = [
    'rpc_server_call_duration_count{rpc_method="task.v1.TaskService/GetTask",rpc_response_status_code="OK"} 7',
    'rpc_server_call_duration_count{rpc_method="task.v1.TaskService/GetTask",rpc_response_status_code="NOT_FOUND"} 1',
    'rpc_server_call_duration_count{rpc_method="task.v1.TaskService/ListTasks",rpc_response_status_code="OK"} 2',
    'rpc_server_call_duration_count{rpc_method="auth.v1.AuthService/ListRevokedSessions"} 100',
    'rpc_server_call_duration_count{rpc_method="grpc.health.v1.Health/Check"} 100',
    'rpc_server_call_duration_sum{rpc_method="task.v1.TaskService/GetTask"} 100',
    'rpc_client_call_duration_count{rpc_method="task.v1.TaskService/GetTask"} 100',
    'http_server_request_duration_count{http_route="/v1/tasks/:task_id"} 4',
    'http_server_request_duration_count{http_route="/health/ready"} 100',
  ];
  expect(callsOf(parseMetrics(page.join("\n")))).toBe(14);
});

test("the spread is the range over the mean, of what was counted in between, by service", () => {
  const before = new Map([
    ["task-1", 1000],
    ["task-2", 10],
    ["gateway-1", 5],
  ]);
  const after = new Map([
    ["task-1", 1090],
    ["task-2", 110],
    ["task-3", 110],
    ["gateway-1", 305],
    ["consumers-1", 9],
  ]);
  const spreads = spreadsBetween(before, after, ["gateway", "task"]);
  expect([...spreads.keys()]).toEqual(["gateway", "task"]);
  expect(spreads.get("task")).toMatchObject({ calls: 300, spread: 0.2 });
  expect(spreads.get("gateway")).toEqual({ calls: 300, spread: 0, byChance: 0 });
});

test("what chance alone makes of it shrinks with the root of the calls", () => {
  const [few, many] = [spreadOf([100, 100, 100]), spreadOf([10_000, 10_000, 10_000])];
  expect(few.byChance).toBeCloseTo(0.169, 3);
  expect(few.byChance / many.byChance).toBeCloseTo(10);
});
