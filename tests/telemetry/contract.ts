import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import {
  createFileRegistry,
  type DescMessage,
  type DescMethod,
  type FileRegistry,
  fromBinary,
  getOption,
} from "@bufbuild/protobuf";
import { FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import { type Processing, processing, type Trace, topic, trace } from "#gen/mesh/v1/options_pb.js";
import { descriptors } from "../../envoy/rpcs.ts";

const root = fileURLToPath(new URL("../../", import.meta.url));

/** An event as the proto files declare it. */
export interface DeclaredEvent {
  /** The fact: "task.v1.TaskCreated". */
  type: string;
  /** The same, with the word of those groups that alone take it up, if there is one. */
  name: string;
  topic: string;
  /** The service whose outbox it is in. */
  source: string;
  processings: readonly Processing[];
  /** Whether somebody is told of it. */
  isHeard: boolean;
}

/** What the proto files say about traces. The options are in the sources alone, so that they are read from there. */
export class TraceContract {
  readonly methods: readonly DescMethod[];
  readonly #registry: FileRegistry;
  readonly #envelopes: DescMessage[];

  constructor(image: Uint8Array = build()) {
    this.#registry = createFileRegistry(fromBinary(FileDescriptorSetSchema, image));
    this.methods = Object.values(descriptors).flatMap(
      ({ typeName }) => this.#registry.getService(typeName)?.methods ?? [],
    );
    this.#envelopes = [...this.#registry].flatMap((type) =>
      type.kind === "message" && getOption(type, topic) !== "" ? [type] : [],
    );
  }

  method(name: string): DescMethod {
    const found = this.methods.find((method) => nameOf(method) === name);
    if (found === undefined) throw new Error(`there is no RPC ${name}`);
    return found;
  }

  traceOf(method: DescMethod): Trace {
    return getOption(method, trace);
  }

  event(name: string): DeclaredEvent {
    const type = name.split("#", 1)[0] as string;
    for (const envelope of this.#envelopes) {
      const fact = envelope.fields.find(({ message }) => message?.typeName === type)?.message;
      if (fact === undefined) continue;
      const own = getOption(fact, processing);
      const source = type.split(".", 1)[0] as string;
      return {
        type,
        name,
        topic: getOption(envelope, topic),
        source,
        processings: own.length > 0 ? own : getOption(envelope, processing),
        isHeard: true,
      };
    }
    throw new Error(`there is no event ${type} in any topic`);
  }
}

/** "task.v1.TaskService/GetTask" */
export function nameOf({ parent, name }: DescMethod): string {
  return `${parent.typeName}/${name}`;
}

function build(): Buffer {
  const format = ["--exclude-source-info", "--as-file-descriptor-set", "-o", "-"];
  return execFileSync(join(root, "node_modules/.bin/buf"), ["build", ...format], { cwd: root, maxBuffer: 64 << 20 });
}
