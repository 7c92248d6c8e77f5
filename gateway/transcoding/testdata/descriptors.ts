import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { createFileRegistry, type DescMessage, type DescService, fromBinary } from "@bufbuild/protobuf";
import { FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";

const root = fileURLToPath(new URL("../../../", import.meta.url));
const modules = [{ path: "proto/vendor" }, { path: "gateway/transcoding/testdata" }];

/** The descriptors of testdata/transcoding/test/v1, compiled when a test asks for them. */
export function compileTestProtos(): { service: DescService; message(name: string): DescMessage } {
  const config = JSON.stringify({ version: "v2", modules });
  const image = execFileSync(
    `${root}node_modules/.bin/buf`,
    ["build", ".", "--config", config, "--as-file-descriptor-set", "-o", "-"],
    { cwd: root, maxBuffer: 16 * 1024 * 1024 },
  );
  const registry = createFileRegistry(fromBinary(FileDescriptorSetSchema, image));
  const service = registry.getService("transcoding.test.v1.Messaging");
  if (!service) throw new Error("the test protos have no service");
  return {
    service,
    message(name) {
      const desc = registry.getMessage(`transcoding.test.v1.${name}`);
      if (!desc) throw new Error(`the test protos have no ${name}`);
      return desc;
    },
  };
}
