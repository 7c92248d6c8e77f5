import { execFile } from "node:child_process";
import { X509Certificate } from "node:crypto";
import { chmod, readFile, rename } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { findOnMachine } from "./parts/program.ts";

const run = promisify(execFile);
const dayMs = 86_400_000;

export interface CertificateFiles {
  certFile: string;
  keyFile: string;
}

/**
 * The certificate of the TLS edge: EDGE_TLS_CERT_FILE and EDGE_TLS_KEY_FILE, else a self-signed one for localhost that
 * is kept and renewed. Undefined when there is neither one nor openssl to make it with: then there is no TLS edge.
 */
export async function edgeCertificate(folder: string): Promise<CertificateFiles | undefined> {
  const { EDGE_TLS_CERT_FILE, EDGE_TLS_KEY_FILE } = process.env;
  if (EDGE_TLS_CERT_FILE && EDGE_TLS_KEY_FILE) return { certFile: EDGE_TLS_CERT_FILE, keyFile: EDGE_TLS_KEY_FILE };
  const files = { certFile: join(folder, "edge.crt.pem"), keyFile: join(folder, "edge.key.pem") };
  if (await isValid(files.certFile)) return files;
  const openssl = await findOnMachine("openssl");
  if (openssl === undefined) return undefined;
  const draft = { certFile: `${files.certFile}.draft`, keyFile: `${files.keyFile}.draft` };
  const kind = ["-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "365"];
  const subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"];
  await run(openssl, ["req", ...kind, ...subject, "-keyout", draft.keyFile, "-out", draft.certFile]);
  await chmod(draft.keyFile, 0o600);
  await rename(draft.keyFile, files.keyFile);
  await rename(draft.certFile, files.certFile);
  return files;
}

async function isValid(certFile: string): Promise<boolean> {
  const text = await readFile(certFile, "utf8").catch(() => undefined);
  return text !== undefined && Date.parse(new X509Certificate(text).validTo) > Date.now() + 30 * dayMs;
}
