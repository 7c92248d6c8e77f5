import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { chown, mkdir, readFile } from "node:fs/promises";
import { request } from "node:https";
import { join } from "node:path";
import { connect, type TLSSocket } from "node:tls";
import { edgeCertificate } from "../../../cli/runner/certificate.ts";
import { until } from "../command.ts";
import type { Stack } from "../stack.ts";

const envoyUser = 101;

/** A certificate for this machine's own names, whose key only Envoy may read. */
export async function makeCertificate(folder: string): Promise<Record<string, string>> {
  const place = join(folder, "tls");
  await mkdir(place, { recursive: true });
  const files = await edgeCertificate(place, {});
  assert.ok(files !== undefined, "openssl made no certificate");
  await chown(files.keyFile, envoyUser, envoyUser);
  return { EDGE_TLS_CERT_FILE: files.certFile, EDGE_TLS_KEY_FILE: files.keyFile };
}

/** The edge answers by TLS with that certificate, to HTTP/1.1 and HTTP/2, and as before on loopback without. */
export async function tls({ docker, edge, environment }: Stack): Promise<string[]> {
  const ca = await readFile(environment.EDGE_TLS_CERT_FILE ?? "", "utf8");
  const at = { host: "127.0.0.1", port: Number(environment.EDGE_TLS_PORT), servername: "localhost", ca };
  await until("the edge answers by TLS", async () => (await status(at)) === 200);
  const socket = await shakenHands({ ...at, ALPNProtocols: ["h2", "http/1.1"] });
  const { fingerprint256, protocol, alpn } = told(socket);
  assert.equal(fingerprint256, new X509Certificate(ca).fingerprint256);
  assert.equal(alpn, "h2");
  await assert.rejects(shakenHands({ ...at, maxVersion: "TLSv1.1", ciphers: "ALL:@SECLEVEL=0" }));
  const plain = await fetch(`${edge}/health/ready`);
  assert.equal(plain.status, 200);
  const { NetworkSettings } = await docker.inspect(await docker.container("envoy"));
  const open = Object.entries(NetworkSettings.Ports).map(([port, hosts]) => `${port} at ${hosts?.[0]?.HostIp}`);
  assert.deepEqual(open.sort(), ["8080/tcp at 127.0.0.1", "8443/tcp at 127.0.0.1"]);
  return [
    `envoy: ${open.join(", ")}`,
    `https answers 200 with the certificate that was given, by ${protocol} and ${alpn}; TLS 1.1 is refused`,
    "http, on loopback, answers 200",
  ];
}

interface Place {
  host: string;
  port: number;
  servername: string;
  ca: string;
}

function status(place: Place): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    const asked = request({ ...place, path: "/health/ready", agent: false }, (answer) => {
      answer.resume();
      resolve(answer.statusCode);
    });
    asked.once("error", reject).end();
  });
}

type Options = Place & { ALPNProtocols?: string[]; maxVersion?: "TLSv1.1"; ciphers?: string };

function shakenHands(options: Options): Promise<TLSSocket> {
  return new Promise((resolve, reject) => {
    const socket = connect(options, () => resolve(socket));
    socket.once("error", reject);
  });
}

function told(socket: TLSSocket) {
  const { fingerprint256 } = socket.getPeerCertificate();
  const found = { fingerprint256, protocol: socket.getProtocol(), alpn: socket.alpnProtocol };
  socket.destroy();
  return found;
}
