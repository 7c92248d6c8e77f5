import { mkdtemp, readFile, rm } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join, normalize } from "node:path";
import { fileURLToPath } from "node:url";
import { buildPackage } from "../../../clients/typescript/build.ts";

const packages = fileURLToPath(new URL("../../../node_modules/", import.meta.url));
const modules = ["@bufbuild/protobuf", "@connectrpc/connect", "@connectrpc/connect-web"];
const parts = [
  "codegenv2",
  "wkt",
  "wire",
  "reflect",
  "protocol",
  "protocol-connect",
  "protocol-grpc",
  "protocol-grpc-web",
];

/** Where browsers find the modules that our SDK imports. */
const importMap = {
  imports: Object.fromEntries(
    modules.flatMap((name) => [
      [name, `/packages/${name}/dist/esm/index.js`],
      ...parts.map((part) => [`${name}/${part}`, `/packages/${name}/dist/esm/${part}/index.js`]),
    ]),
  ),
};

/** A site of somebody's: an empty page under every path, and our SDK as a bundler would bring it. */
export interface Site {
  port: number;
  stop(): Promise<void>;
}

export async function startSite(): Promise<Site> {
  const folder = await mkdtemp(join(tmpdir(), "taskmesh-sdk-"));
  await buildPackage(folder);
  const roots: Record<string, string> = { "/packages/": packages, "/sdk/": join(folder, "dist/") };
  const server = createServer(async ({ url = "/" }, response) => {
    const [prefix, root] = Object.entries(roots).find(([start]) => url.startsWith(start)) ?? [];
    if (prefix === undefined || root === undefined) {
      const page = `<!doctype html><title>site</title><script type="importmap">${JSON.stringify(importMap)}</script>`;
      return response.writeHead(200, { "content-type": "text/html" }).end(page);
    }
    const file = await readFile(join(root, normalize(url.slice(prefix.length)))).catch(() => undefined);
    return response.writeHead(file ? 200 : 404, { "content-type": "text/javascript" }).end(file);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    port: (server.address() as AddressInfo).port,
    stop: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      await rm(folder, { recursive: true });
    },
  };
}
