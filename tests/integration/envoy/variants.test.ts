import { execFile } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { connect as connectHttp2 } from "node:http2";
import { request } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { edgeCertificate } from "../../../cli/runner/certificate.ts";
import { fetch as fetchEnvoy, locate } from "../../../cli/runner/parts/envoy.ts";
import { pickPorts } from "../../../cli/runner/ports.ts";
import { writeEnvoyConfig } from "../../../envoy/config.ts";
import type { EnvoyOptions } from "../../../envoy/options.ts";
import { startMesh, type TestMesh } from "./mesh.ts";

const run = promisify(execFile);
const named = (host: string) => [{ host, port: 9000 }];
const inContainers: Partial<EnvoyOptions> = {
  discovery: "dns",
  host: "0.0.0.0",
  gatewayHttp: named("gateway"),
  gatewayGrpc: [{ host: "gateway", port: 9001, healthPort: 9000 }],
  services: { auth: named("auth"), user: named("user"), task: named("task"), notification: named("notification") },
  otlp: { host: "jaeger", port: 4317 },
};

describe("Envoy takes the configuration", () => {
  let directory: string;
  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), "taskmesh-envoy-"));
  });
  afterAll(() => rm(directory, { recursive: true, force: true }));

  test.each([
    ["of one machine", {}],
    ["without instances yet", { gatewayHttp: [], gatewayGrpc: [] }],
    ["of containers", inContainers],
    ["with round robin, behind a proxy of ours", { lbPolicy: "ROUND_ROBIN", trustedProxies: 1 }],
    ["with the hash of addresses", { lbPolicy: "IP_HASH" }],
    ["with traces", { otlp: { host: "127.0.0.1", port: 4317 }, samplePercent: 12.5 }],
  ] as const)("%s", async (_name, options) => {
    const { path } = (await locate()) ?? (await fetchEnvoy(() => {}));
    const local = [{ host: "127.0.0.1", port: 9000 }];
    const { configFile } = await writeEnvoyConfig({
      directory,
      edgePort: 8080,
      meshPort: 8081,
      adminPort: 9901,
      gatewayHttp: local,
      gatewayGrpc: local,
      services: { auth: local, user: local, task: local, notification: local },
      ...(options as Partial<EnvoyOptions>),
    });
    const { stdout, stderr } = await run(path, ["--mode", "validate", "-c", configFile]);
    expect(stdout + stderr).toContain("OK");
    expect(stderr).not.toMatch(/deprecated/i);
  });
});

describe("the edge with TLS", () => {
  let directory: string;
  let mesh: TestMesh;
  let port = 0;
  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), "taskmesh-tls-"));
    [port = 0] = await pickPorts(1);
    const tls = await edgeCertificate(directory);
    if (tls === undefined) throw new Error("openssl is needed to make a certificate");
    mesh = await startMesh({ edgeTlsPort: port, tls });
  });
  afterAll(async () => {
    await mesh?.stop();
    await rm(directory, { recursive: true, force: true });
  });

  test("speaks HTTP/1.1, and says so to the gateway", async () => {
    const status = await new Promise((resolve, reject) => {
      const options = { host: "127.0.0.1", port, path: "/v1/tasks", rejectUnauthorized: false, agent: false };
      request(options, (response) => resolve(response.resume().statusCode))
        .on("error", reject)
        .end();
    });
    expect(status).toBe(200);
    expect(mesh.gatewayHttp.seen[0]?.headers["x-forwarded-proto"]).toBe("https");
  });

  test("speaks HTTP/2", async () => {
    const session = connectHttp2(`https://127.0.0.1:${port}`, { rejectUnauthorized: false });
    const status = await new Promise((resolve, reject) => {
      session.on("error", reject);
      session.request({ ":path": "/v1/tasks" }).on("response", (headers) => resolve(headers[":status"]));
    });
    expect(session.alpnProtocol).toBe("h2");
    expect(status).toBe(200);
    session.destroy();
  });

  test("refuses TLS 1.1", async () => {
    const refused = new Promise((resolve, reject) => {
      const options = {
        host: "127.0.0.1",
        port,
        rejectUnauthorized: false,
        agent: false,
        maxVersion: "TLSv1.1",
      } as const;
      request({ ...options, minVersion: "TLSv1", ciphers: "DEFAULT@SECLEVEL=0" }, resolve)
        .on("error", reject)
        .end();
    });
    await expect(refused).rejects.toThrow(/alert protocol version/);
  });
});
