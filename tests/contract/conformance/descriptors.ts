import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import {
  create,
  createFileRegistry,
  type DescMessage,
  type DescService,
  type FileRegistry,
  fromBinary,
  setExtension,
} from "@bufbuild/protobuf";
import { durationFromMs, FileDescriptorSetSchema, MethodOptionsSchema } from "@bufbuild/protobuf/wkt";
import { Access, PolicySchema, policy } from "#gen/mesh/v1/options_pb.js";

const root = fileURLToPath(new URL("../../../", import.meta.url));
const modules = [{ path: "tests/contract/conformance/proto" }];
const packageName = "connectrpc.conformance.v1";

/** Longer than any call of the suite takes, so that a shorter deadline is always the client's. */
export const policyTimeoutMs = 60_000;

let registry: FileRegistry | undefined;

/** The suite's service, as if its proto had a policy of the mesh. */
export function conformanceService(): DescService {
  const service = compiled().getService(`${packageName}.ConformanceService`);
  if (service === undefined) throw new Error("the protos of the suite lack their service");
  return service;
}

export function conformanceMessage(name: string): DescMessage {
  const message = compiled().getMessage(`${packageName}.${name}`);
  if (message === undefined) throw new Error(`the protos of the suite lack ${name}`);
  return message;
}

function compiled(): FileRegistry {
  registry ??= compile();
  return registry;
}

function compile(): FileRegistry {
  const config = JSON.stringify({ version: "v2", modules });
  const image = execFileSync(
    `${root}node_modules/.bin/buf`,
    ["build", ".", "--config", config, "--as-file-descriptor-set", "-o", "-"],
    { cwd: root, maxBuffer: 16 * 1024 * 1024 },
  );
  const set = fromBinary(FileDescriptorSetSchema, image);
  for (const service of set.file.flatMap((file) => file.service)) {
    service.method = service.method.filter(({ clientStreaming }) => !clientStreaming);
    for (const method of service.method) {
      method.options ??= create(MethodOptionsSchema);
      const open = create(PolicySchema, { access: Access.PUBLIC, timeout: durationFromMs(policyTimeoutMs) });
      setExtension(method.options, policy, open);
    }
  }
  return createFileRegistry(set);
}
