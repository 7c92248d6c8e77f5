import assert from "node:assert/strict";
import { until } from "../command.ts";
import type { Stack } from "../stack.ts";

const profile = ["--profile", "observability"];
const wanted = ["pg_up 1", "redis_up 1"];

/** The profile `observability` brings the operator's page, which sees the parts and asks for its token. */
export async function operatorsPage({ docker, environment }: Stack): Promise<string[]> {
  const page = `http://127.0.0.1:${environment.OPS_PORT}`;
  await docker.compose([...profile, "up", "--detach", "--no-recreate", "ops"]);
  const metrics = async () => (await fetch(`${page}/metrics`)).text();
  await until("the operator's page tells of the parts", async () => {
    const text = await metrics();
    return wanted.every((line) => text.includes(line));
  });
  const { status } = await fetch(`${page}/ops`, { redirect: "manual" });
  assert.notEqual(status, 200, "the operator's page is open to everybody");
  const samples = (await metrics()).split("\n").filter((line) => line !== "" && !line.startsWith("#"));
  await docker.compose([...profile, "rm", "--stop", "--force", "ops"]);
  return [
    `/metrics has ${samples.length} samples, among them ${wanted.join(" and ")}`,
    `without the token it answers ${status}`,
  ];
}
