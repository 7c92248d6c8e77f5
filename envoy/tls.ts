import { mkdir, rename, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { extension, type Json, typed } from "./json.ts";
import type { Settings } from "./options.ts";

type Files = NonNullable<Settings["tls"]>;

const secretName = "edge";

/** What clients of the TLS edge may speak. Envoy watches the files: a new certificate is used without a restart. */
export function tlsTransport({ directory }: Settings): Json {
  return extension("envoy.transport_sockets.tls", "envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext", {
    common_tls_context: {
      alpn_protocols: ["h2", "http/1.1"],
      tls_params: {
        tls_minimum_protocol_version: "TLSv1_2",
        tls_maximum_protocol_version: "TLSv1_3",
        // For TLS 1.2: forward secrecy and authenticated encryption only (RFC 9325, section 4.2). TLS 1.3 has no others.
        cipher_suites: [
          "ECDHE-ECDSA-AES128-GCM-SHA256",
          "ECDHE-RSA-AES128-GCM-SHA256",
          "ECDHE-ECDSA-AES256-GCM-SHA384",
          "ECDHE-RSA-AES256-GCM-SHA384",
          "ECDHE-ECDSA-CHACHA20-POLY1305",
          "ECDHE-RSA-CHACHA20-POLY1305",
        ],
      },
      tls_certificate_sds_secret_configs: [
        {
          name: secretName,
          sds_config: { resource_api_version: "V3", path_config_source: { path: secretFile(directory) } },
        },
      ],
    },
  });
}

/** Writes the file that tells Envoy where the certificate is. */
export async function writeTlsSecret(directory: string, { certFile, keyFile }: Files): Promise<void> {
  const secret = typed("envoy.extensions.transport_sockets.tls.v3.Secret", {
    name: secretName,
    tls_certificate: {
      certificate_chain: { filename: certFile },
      private_key: { filename: keyFile },
      // Both are read again when a file is moved into the folder, which is how they are replaced.
      watched_directory: { path: dirname(certFile) },
    },
  });
  await mkdir(directory, { recursive: true });
  const draft = `${secretFile(directory)}.${process.pid}`;
  await writeFile(draft, JSON.stringify({ resources: [secret] }));
  await rename(draft, secretFile(directory));
}

function secretFile(directory: string): string {
  return join(directory, "tls-edge.json");
}
