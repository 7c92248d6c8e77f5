import { readdirSync, readFileSync } from "node:fs";
import { createFileRegistry, type DescMethod, type FileRegistry, fromBinary } from "@bufbuild/protobuf";
import { FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import { publicOf } from "../protocols.ts";

const folder = new URL(".", import.meta.url);

/** The contract as it was released last: what clients out there were made from. */
export function releasedContract(): { release: string; registry: FileRegistry; methods: DescMethod[] } {
  const name = readdirSync(folder).find((file) => file.endsWith(".binpb"));
  if (name === undefined) throw new Error("there is no baseline: npm run contract:baseline");
  const registry = createFileRegistry(fromBinary(FileDescriptorSetSchema, readFileSync(new URL(name, folder))));
  const services = [...registry].filter((type) => type.kind === "service");
  const methods = publicOf(services.flatMap((service) => service.methods));
  return { release: name.replace(".binpb", ""), registry, methods };
}
