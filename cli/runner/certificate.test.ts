import { execFileSync } from "node:child_process";
import { generateKeyPairSync, X509Certificate } from "node:crypto";
import { copyFile, mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { edgeCertificate } from "./certificate.ts";

const dayMs = 86_400_000;
let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "taskmesh-certificate-"));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const read = async (path = "") => new X509Certificate(await readFile(path, "utf8"));

test("a certificate for this machine is made once and kept, its key for the owner only", async () => {
  const first = await edgeCertificate(folder, {});
  const made = await read(first?.certFile);
  expect(made.subjectAltName).toBe("DNS:localhost, IP Address:127.0.0.1, IP Address:0:0:0:0:0:0:0:1");
  expect(made.ca).toBe(false);
  expect(Date.parse(made.validTo) - Date.now()).toBeGreaterThan(360 * dayMs);
  expect((await stat(first?.keyFile ?? "")).mode & 0o777).toBe(0o600);
  const again = await read((await edgeCertificate(folder, {}))?.certFile);
  expect(again.fingerprint256).toBe(made.fingerprint256);
});

test("one that ends within a month is made anew", async () => {
  const files = { cert: join(folder, "edge.crt.pem"), key: join(folder, "edge.key.pem") };
  const kind = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
  execFileSync("openssl", [...kind, "-days", "29", "-subj", "/CN=old", "-keyout", files.key, "-out", files.cert], {
    stdio: "ignore",
  });
  const renewed = await read((await edgeCertificate(folder, {}))?.certFile);
  expect(renewed.subject).toBe("CN=localhost");
});

test("files that were named are taken, and a missing one is named", async () => {
  const [certFile, keyFile] = [join(folder, "a.pem"), join(folder, "b.pem")];
  const { certFile: made = "", keyFile: madeKey = "" } = (await edgeCertificate(folder, {})) ?? {};
  await copyFile(made, certFile);
  await copyFile(madeKey, keyFile);
  const source = { EDGE_TLS_CERT_FILE: certFile, EDGE_TLS_KEY_FILE: keyFile };
  expect(await edgeCertificate(folder, source)).toEqual({ certFile, keyFile });
  await expect(edgeCertificate(folder, { EDGE_TLS_CERT_FILE: certFile })).rejects.toThrow(
    /^EDGE_TLS_KEY_FILE is missing/,
  );
  await rm(keyFile);
  await expect(edgeCertificate(folder, source)).rejects.toThrow(/^EDGE_TLS_KEY_FILE is wrong/);
});

test("given files that are of no use are told in a line, with what is wrong", async () => {
  const { certFile, keyFile } = (await edgeCertificate(folder, {})) as { certFile: string; keyFile: string };
  const otherKey = join(folder, "other.pem");
  const { privateKey } = generateKeyPairSync("ed25519");
  await writeFile(otherKey, privateKey.export({ format: "pem", type: "pkcs8" }));
  const given = (cert: string, key: string, now?: number) =>
    edgeCertificate(folder, { EDGE_TLS_CERT_FILE: cert, EDGE_TLS_KEY_FILE: key }, now);
  await expect(given(certFile, keyFile, Date.now() + 366 * dayMs)).rejects.toThrow(
    /^EDGE_TLS_CERT_FILE is wrong: the certificate ended on .+ GMT: put a new one there$/,
  );
  await expect(given(certFile, otherKey)).rejects.toThrow(
    /^EDGE_TLS_KEY_FILE is wrong: it must be the key of the certificate$/,
  );
  await expect(given(certFile, certFile)).rejects.toThrow(
    /^EDGE_TLS_KEY_FILE is wrong: it must be the path of a readable private key/,
  );
  await expect(given(keyFile, keyFile)).rejects.toThrow(
    /^EDGE_TLS_CERT_FILE is wrong: it must be the path of a readable certificate/,
  );
});
