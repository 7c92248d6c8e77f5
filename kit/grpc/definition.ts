import {
  type DescMessage,
  type DescMethod,
  type DescService,
  fromBinary,
  type Message,
  toBinary,
} from "@bufbuild/protobuf";
import type { ServiceDefinition } from "@grpc/grpc-js";

/** Bytes that are no message of the type that was expected. */
export class MalformedMessage {
  readonly cause: unknown;

  constructor(cause: unknown) {
    this.cause = cause;
  }
}

/** A method as grpc-js knows it. Bytes that cannot be parsed are handed on as such, so that we answer for them. */
export interface Definition {
  path: string;
  requestStream: boolean;
  responseStream: boolean;
  requestSerialize: (message: Message | Buffer) => Buffer;
  requestDeserialize: (bytes: Buffer) => Message | MalformedMessage;
  responseSerialize: (message: Message | Buffer) => Buffer;
  responseDeserialize: (bytes: Buffer) => Message | MalformedMessage;
}

const definitions = new WeakMap<DescMethod, Definition>();

/** "task.v1.TaskService/CreateTask": the name of a method in spans, metrics and logs. */
export function methodName(method: DescMethod): `${string}.${string}/${string}` {
  return `${method.parent.typeName}/${method.name}` as `${string}.${string}/${string}`;
}

/** The definition of one method; always the same object for the same method. */
export function methodDefinition(method: DescMethod): Definition {
  let definition = definitions.get(method);
  if (!definition) {
    definition = {
      path: `/${methodName(method)}`,
      requestStream: method.methodKind === "client_streaming" || method.methodKind === "bidi_streaming",
      responseStream: method.methodKind === "server_streaming" || method.methodKind === "bidi_streaming",
      requestSerialize: serializer(method.input),
      requestDeserialize: deserializer(method.input),
      responseSerialize: serializer(method.output),
      responseDeserialize: deserializer(method.output),
    };
    definitions.set(method, definition);
  }
  return definition;
}

/** The definition of a service for `Server.addService`, by the local names of its methods. */
export function serviceDefinition(service: DescService): ServiceDefinition {
  return Object.fromEntries(service.methods.map((method) => [method.localName, methodDefinition(method)]));
}

/** The bytes of a message. Throws when a field holds what its type cannot. */
export function encode(desc: DescMessage, message: Message): Buffer {
  const bytes = toBinary(desc, message);
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

// An answer is encoded by its handler's side already, where a failure still finds its way into the log.
function serializer(desc: DescMessage) {
  return (message: Message | Buffer): Buffer => (Buffer.isBuffer(message) ? message : encode(desc, message));
}

function deserializer(desc: DescMessage) {
  return (bytes: Buffer): Message | MalformedMessage => {
    try {
      return fromBinary(desc, bytes);
    } catch (error) {
      return new MalformedMessage(error);
    }
  };
}
