import { type DescMethod, fromBinary, type Message, toBinary } from "@bufbuild/protobuf";
import type { JsonStyle } from "../generate/case.ts";
import type { JsonFault } from "../generate/json.ts";
import type { Answer } from "./answer.ts";
import type { HttpAnswer, HttpRequest, Until } from "./http1.ts";

/** A call as it is sent: everything in it is settled but the protocol. */
export interface Outgoing {
  method: DescMethod;
  message: Message;
  /** Sent instead of the message's bytes, by protocols that send bytes. */
  bytes?: Uint8Array | undefined;
  /** Put into the message's JSON, by protocols that send JSON. */
  fault?: JsonFault | undefined;
  style: JsonStyle;
  headers: Record<string, string>;
  /** For a client that is older than the server: what it does not know in an answer it leaves out. */
  lenient: boolean;
}

/** Something that sends HTTP. */
export interface Wire {
  send(request: HttpRequest, until?: Until): Promise<HttpAnswer>;
}

/** Sends a call in one protocol. Answers undefined for a call that the protocol cannot say. */
export interface Protocol {
  name: string;
  /** Whether it sends JSON, and so a JSON fault; the others send bytes. */
  json: boolean;
  send(call: Outgoing): Promise<Answer | undefined>;
}

/** How long a stream is listened to that says nothing; the first message or its end are enough. */
export const listenMs = 2000;

export function bytesOf({ method, message, bytes }: Outgoing): Uint8Array {
  return bytes ?? toBinary(method.input, message);
}

/** Reads the answering message; what cannot be read is a fault of the answer. */
export function readBinary({ method }: Outgoing, bytes: Uint8Array, faults: string[]): Message | undefined {
  return read(() => fromBinary(method.output, bytes), faults);
}

export function read(decode: () => Message, faults: string[]): Message | undefined {
  try {
    return decode();
  } catch (error) {
    faults.push(`the answer cannot be read: ${(error as Error).message}`);
    return undefined;
  }
}

export function pathOf({ method }: Outgoing): string {
  return `/${method.parent.typeName}/${method.name}`;
}
