import { execFile } from "node:child_process";
import { createPrivateKey, X509Certificate } from "node:crypto";
import { chmod, readFile, rename } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { UserError } from "../user-error.ts";
import { exists } from "./parts/cache.ts";
import { findOnMachine } from "./parts/program.ts";

const run = promisify(execFile);
const dayMs = 86_400_000;

export interface CertificateFiles {
  certFile: string;
  keyFile: string;
}

/** It is made anew when it ends within so many days. */
const renewDays = 30;
const names = "subjectAltName=DNS:localhost,IP:127.0.0.1,IP:::1";
const uses = [
  "basicConstraints=critical,CA:FALSE",
  "keyUsage=critical,digitalSignature",
  "extendedKeyUsage=serverAuth",
];

/**
 * The certificate of the TLS edge: EDGE_TLS_CERT_FILE and EDGE_TLS_KEY_FILE, else a self-signed one for localhost that
 * is kept, and made anew in its last month; Envoy sees that by itself. Undefined when there is neither one nor openssl
 * to make it with: then there is no TLS edge. Throws one line when a file that was named is not there.
 */
export async function edgeCertificate(
  folder: string,
  source = process.env,
  now = Date.now(),
): Promise<CertificateFiles | undefined> {
  const given = await givenFiles(source, now);
  if (given !== undefined) return given;
  const files = { certFile: join(folder, "edge.crt.pem"), keyFile: join(folder, "edge.key.pem") };
  if (await isValid(files)) return files;
  const openssl = await findOnMachine("openssl");
  if (openssl === undefined) return undefined;
  const draft = { certFile: `${files.certFile}.draft`, keyFile: `${files.keyFile}.draft` };
  const kind = ["-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "365"];
  const subject = ["-subj", "/CN=localhost", ...[names, ...uses].flatMap((extension) => ["-addext", extension])];
  await run(openssl, ["req", ...kind, ...subject, "-keyout", draft.keyFile, "-out", draft.certFile]);
  await chmod(draft.keyFile, 0o600);
  await rename(draft.keyFile, files.keyFile);
  await rename(draft.certFile, files.certFile);
  return files;
}

async function givenFiles(source: NodeJS.ProcessEnv, now: number): Promise<CertificateFiles | undefined> {
  const { EDGE_TLS_CERT_FILE: certFile, EDGE_TLS_KEY_FILE: keyFile } = source;
  if (!certFile && !keyFile) return undefined;
  const faults: string[] = [];
  for (const [variable, file] of Object.entries({ EDGE_TLS_CERT_FILE: certFile, EDGE_TLS_KEY_FILE: keyFile })) {
    if (!file) faults.push(`${variable} is missing: a certificate and its key go together`);
    else if (!(await exists(file))) faults.push(`${variable} is wrong: there is no file ${file}`);
  }
  if (faults.length > 0) throw new UserError(faults.join("\n"));
  const files = { certFile: certFile as string, keyFile: keyFile as string };
  const fault = await pairFault(files, now);
  if (fault !== undefined) throw new UserError(fault);
  return files;
}

/** What is wrong with a certificate and its key that were given to us, in a line; nothing of the key is told. */
async function pairFault({ certFile, keyFile }: CertificateFiles, now: number): Promise<string | undefined> {
  const read = async <T>(file: string, parse: (text: string) => T): Promise<T | undefined> =>
    readFile(file, "utf8")
      .then(parse)
      .catch(() => undefined);
  const certificate = await read(certFile, (text) => new X509Certificate(text));
  if (certificate === undefined)
    return "EDGE_TLS_CERT_FILE is wrong: it must be the path of a readable certificate (PEM)";
  const key = await read(keyFile, createPrivateKey);
  if (key === undefined) return "EDGE_TLS_KEY_FILE is wrong: it must be the path of a readable private key (PEM)";
  if (!certificate.checkPrivateKey(key)) return "EDGE_TLS_KEY_FILE is wrong: it must be the key of the certificate";
  if (Date.parse(certificate.validTo) > now) return undefined;
  return `EDGE_TLS_CERT_FILE is wrong: the certificate ended on ${certificate.validTo}: put a new one there`;
}

async function isValid({ certFile, keyFile }: CertificateFiles): Promise<boolean> {
  const text = await readFile(certFile, "utf8").catch(() => undefined);
  if (text === undefined || !(await exists(keyFile))) return false;
  return Date.parse(new X509Certificate(text).validTo) > Date.now() + renewDays * dayMs;
}
