import {
  create,
  type DescFile,
  type DescMessage,
  type DescService,
  type MessageInitShape,
  toBinary,
} from "@bufbuild/protobuf";
import { nestedTypes } from "@bufbuild/protobuf/reflect";
import { FileDescriptorProtoSchema } from "@bufbuild/protobuf/wkt";
import type { ServerDuplexStream } from "@grpc/grpc-js";
import { file_google_rpc_error_details } from "#gen/google/rpc/error_details_pb.js";
import { file_google_rpc_status } from "#gen/google/rpc/status_pb.js";
import {
  type ServerReflectionRequest,
  type ServerReflectionResponse,
  ServerReflectionResponseSchema,
} from "#gen/grpc/reflection/v1/reflection_pb.js";
import { Code } from "../errors.ts";
import { MalformedMessage } from "./definition.ts";
import type { OpenCalls } from "./handler.ts";

type Answer = MessageInitShape<typeof ServerReflectionResponseSchema>["messageResponse"];

/** What the standard reflection service (grpc.reflection.v1) tells about a set of services and all that they use. */
export class ReflectionIndex {
  readonly #services: readonly string[];
  readonly #files = new Map<string, DescFile>();
  readonly #symbols = new Map<string, DescFile>();
  readonly #extensions = new Map<string, Map<number, DescFile>>();

  constructor(services: readonly DescService[]) {
    this.#services = services.map(({ typeName }) => typeName).sort();
    for (const { file } of services) this.#addFile(file);
    // No request or answer has these: they come inside of errors, packed, and clients want to read them.
    for (const file of [file_google_rpc_status, file_google_rpc_error_details]) this.#addFile(file);
  }

  answer(request: ServerReflectionRequest): ServerReflectionResponse {
    return create(ServerReflectionResponseSchema, {
      validHost: request.host,
      originalRequest: request,
      messageResponse: this.#find(request.messageRequest),
    });
  }

  #find(wanted: ServerReflectionRequest["messageRequest"]): Answer {
    switch (wanted.case) {
      case "listServices":
        return {
          case: "listServicesResponse",
          value: { service: this.#services.map((name) => ({ name })) },
        };
      case "fileByFilename":
        return describe(this.#files.get(wanted.value));
      case "fileContainingSymbol":
        return describe(this.#symbols.get(wanted.value));
      case "fileContainingExtension": {
        const { containingType, extensionNumber } = wanted.value;
        return describe(this.#extensions.get(containingType)?.get(extensionNumber));
      }
      case "allExtensionNumbersOfType": {
        if (!this.#symbols.has(wanted.value)) return notFound();
        const extensionNumber = [...(this.#extensions.get(wanted.value)?.keys() ?? [])];
        return { case: "allExtensionNumbersResponse", value: { baseTypeName: wanted.value, extensionNumber } };
      }
      default:
        return error(Code.INVALID_ARGUMENT, "the request asks for nothing");
    }
  }

  #addFile(file: DescFile): void {
    if (this.#files.has(file.proto.name)) return;
    this.#files.set(file.proto.name, file);
    for (const dependency of file.dependencies) this.#addFile(dependency);
    for (const type of nestedTypes(file)) {
      this.#symbols.set(type.typeName, file);
      if (type.kind === "message") this.#addFields(type, file);
      if (type.kind === "service") {
        for (const { name } of type.methods) this.#symbols.set(`${type.typeName}.${name}`, file);
      }
      if (type.kind === "extension") {
        const numbers = this.#extensions.get(type.extendee.typeName) ?? new Map<number, DescFile>();
        this.#extensions.set(type.extendee.typeName, numbers.set(type.number, file));
      }
    }
  }

  #addFields(message: DescMessage, file: DescFile): void {
    for (const { name } of message.fields) this.#symbols.set(`${message.typeName}.${name}`, file);
    for (const { name } of message.oneofs) this.#symbols.set(`${message.typeName}.${name}`, file);
  }
}

/** Answers each message of the stream, in order. */
export function reflectionHandler(index: ReflectionIndex, { streams }: OpenCalls) {
  return (stream: ServerDuplexStream<ServerReflectionRequest | MalformedMessage, ServerReflectionResponse>): void => {
    const call = { peer: stream.getPeer(), abort: () => void stream.end() };
    streams.add(call);
    stream.on("cancelled", () => streams.delete(call));
    stream.on("data", (request: ServerReflectionRequest | MalformedMessage) => {
      if (request instanceof MalformedMessage) stream.end();
      else stream.write(index.answer(request));
    });
    stream.on("end", () => stream.end());
  };
}

/** A file and everything that it imports, the way the protocol wants it: as bytes of FileDescriptorProto. */
function describe(file: DescFile | undefined): Answer {
  if (!file) return notFound();
  const files = new Set<DescFile>();
  const add = (next: DescFile): void => {
    if (files.has(next)) return;
    files.add(next);
    next.dependencies.forEach(add);
  };
  add(file);
  const fileDescriptorProto = [...files].map(({ proto }) => toBinary(FileDescriptorProtoSchema, proto));
  return { case: "fileDescriptorResponse", value: { fileDescriptorProto } };
}

function notFound(): Answer {
  return error(Code.NOT_FOUND, "not known here");
}

function error(errorCode: number, errorMessage: string): Answer {
  return { case: "errorResponse", value: { errorCode, errorMessage } };
}
