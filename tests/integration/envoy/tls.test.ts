import { copyFile, mkdtemp, readFile, rename, rm } from "node:fs/promises";
import { connect as connectHttp2 } from "node:http2";
import { request } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type ConnectionOptions, connect, type TLSSocket } from "node:tls";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type CertificateFiles, edgeCertificate } from "../../../cli/runner/certificate.ts";
import { pickPorts } from "../../../cli/runner/ports.ts";
import { until } from "../../_util/until.ts";
import { startWholeEdge, type WholeEdge } from "./whole-edge.ts";

let folder: string;
let files: CertificateFiles;
let edge: WholeEdge;
let port = 0;

async function made(name: string): Promise<CertificateFiles> {
  const home = join(folder, name);
  const tls = await edgeCertificate(await mkdtemp(`${home}-`), {});
  if (tls === undefined) throw new Error("openssl is needed to make a certificate");
  return tls;
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "taskmesh-tls-"));
  files = await made("first");
  [port = 0] = await pickPorts(1);
  edge = await startWholeEdge({ edgeTlsPort: port, tls: files });
});
afterAll(async () => {
  await edge?.stop();
  await rm(folder, { recursive: true, force: true });
});

function handshake(options: ConnectionOptions = {}): Promise<TLSSocket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: "127.0.0.1", port, rejectUnauthorized: false, ...options }, () => resolve(socket));
    socket.once("error", reject);
  });
}

async function told(options: ConnectionOptions) {
  const socket = await handshake(options);
  const facts = { protocol: socket.getProtocol(), cipher: socket.getCipher().name, alpn: socket.alpnProtocol };
  socket.destroy();
  return facts;
}

function get(host: string): Promise<Record<string, unknown>> {
  return new Promise((resolve, reject) => {
    const options = { host: "127.0.0.1", port, path: "/", rejectUnauthorized: false, agent: false, headers: { host } };
    request(options, (response) => resolve(response.resume().headers))
      .on("error", reject)
      .end();
  });
}

describe("what the TLS edge speaks", () => {
  test("TLS 1.3 and 1.2", async () => {
    expect((await told({})).protocol).toBe("TLSv1.3");
    expect((await told({ maxVersion: "TLSv1.2" })).protocol).toBe("TLSv1.2");
  });

  test.each(["TLSv1.1", "TLSv1"] as const)("not %s", async (maxVersion) => {
    await expect(told({ maxVersion, minVersion: "TLSv1", ciphers: "DEFAULT@SECLEVEL=0" })).rejects.toThrow(
      /protocol version/,
    );
  });

  test.each([
    "AES128-SHA",
    "AES256-GCM-SHA384",
    "ECDHE-ECDSA-AES128-SHA",
    "ECDHE-ECDSA-AES256-SHA384",
    "ECDHE-ECDSA-DES-CBC3-SHA",
    "DHE-RSA-AES128-GCM-SHA256",
    "NULL-SHA256",
    "RC4-SHA",
  ])("not %s, which has no forward secrecy or no authentication", async (cipher) => {
    const options = { maxVersion: "TLSv1.2", ciphers: `${cipher}:@SECLEVEL=0` } as const;
    await expect(told(options)).rejects.toThrow(/handshake failure|no cipher|no ciphers/i);
  });

  test.each(["ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES256-GCM-SHA384", "ECDHE-ECDSA-CHACHA20-POLY1305"])(
    "%s for TLS 1.2",
    async (cipher) => {
      expect((await told({ maxVersion: "TLSv1.2", ciphers: cipher })).cipher).toBe(cipher);
    },
  );

  test("HTTP/2 where the client offers it, else HTTP/1.1", async () => {
    expect((await told({ ALPNProtocols: ["http/1.1", "h2"] })).alpn).toBe("h2");
    expect((await told({ ALPNProtocols: ["http/1.1"] })).alpn).toBe("http/1.1");
    expect((await told({})).alpn).toBe(false);
  });
});

test("HSTS is promised to names by TLS, not by plain HTTP, and not for localhost, whose other ports would be bound too", async () => {
  expect((await get("tasks.example"))["strict-transport-security"]).toBe("max-age=31536000");
  for (const host of ["localhost", `localhost:${port}`, "app.localhost", "127.0.0.1", `[::1]:${port}`]) {
    expect((await get(host))["strict-transport-security"]).toBeUndefined();
  }
  const plain = await fetch(`http://127.0.0.1:${edge.port}/`, { headers: { "x-forwarded-proto": "https" } });
  expect(plain.headers.get("strict-transport-security")).toBeNull();
});

test("a client that trusts the certificate is satisfied with it, by each name of this machine", async () => {
  const ca = await readFile(files.certFile);
  for (const name of [{ servername: "localhost" }, { host: "127.0.0.1" }]) {
    const socket = await handshake({ ca, ...name, rejectUnauthorized: true });
    expect(socket.authorized).toBe(true);
    socket.destroy();
  }
});

test("a new certificate is used without a restart, and connections of the old one go on", async () => {
  const fingerprint = async () => {
    const socket = await handshake();
    const { fingerprint256 } = socket.getPeerCertificate();
    socket.destroy();
    return fingerprint256;
  };
  const before = await fingerprint();
  const session = connectHttp2(`https://127.0.0.1:${port}`, { rejectUnauthorized: false });
  const status = () =>
    new Promise((resolve, reject) => {
      session.on("error", reject);
      session.request({ ":path": "/health/live" }).on("response", (headers) => resolve(headers[":status"]));
    });
  expect(await status()).toBe(200);
  const next = await made("second");
  for (const [from, to] of [
    [next.keyFile, files.keyFile],
    [next.certFile, files.certFile],
  ] as const) {
    await copyFile(from, `${to}.draft`);
    await rename(`${to}.draft`, to);
  }
  await until("the new certificate", async () => (await fingerprint()) !== before);
  expect(await status()).toBe(200);
  session.destroy();
});
