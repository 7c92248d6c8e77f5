import assert from "node:assert/strict";
import { until } from "../command.ts";
import { type Stack, services } from "../stack.ts";

const open = ["envoy", "jaeger", "mail"];

/** Only the edge, the traces and the mail page can be reached from outside, and those on loopback. */
export async function published({ docker, edge }: Stack): Promise<string[]> {
  const found: string[] = [];
  for (const service of services) {
    const { NetworkSettings } = await docker.inspect(await docker.container(service));
    const bindings = Object.entries(NetworkSettings.Ports).flatMap(([port, hosts]) =>
      (hosts ?? []).map(({ HostIp }) => `${service}: ${port} at ${HostIp}`),
    );
    found.push(...bindings);
    assert.equal(bindings.length, open.includes(service) ? 1 : 0, `${service} publishes ${bindings.join(", ")}`);
  }
  assert.ok(
    found.every((line) => line.endsWith("127.0.0.1")),
    found.join(", "),
  );
  // Envoy takes a gateway for healthy after two checks of its own.
  await until("the edge answers 200", async () => (await fetch(`${edge}/health/ready`)).status === 200);
  return [...found, "GET /health/ready at the edge answers 200"];
}
