import { type DescMessage, type DescMethod, getOption, type Message } from "@bufbuild/protobuf";
import { cursor } from "#gen/mesh/v1/options_pb.js";

type Fields = Message & Record<string, unknown>;

const names = new WeakMap<DescMessage, string | undefined>();

/** The name of the field that says where a stream is (mesh.v1.cursor), if the message has one. */
function cursorName(message: DescMessage): string | undefined {
  if (!names.has(message)) {
    const field = message.fields.find((candidate) => getOption(candidate, cursor));
    names.set(message, field?.localName);
  }
  return names.get(message);
}

/** Where to go on behind a message; undefined when it does not say. */
export function cursorOf({ output }: DescMethod, message: Message): string | undefined {
  const name = cursorName(output);
  return name === undefined ? undefined : String((message as Fields)[name]) || undefined;
}

/** A browser that comes back sends the id of the last event (WHATWG HTML, section 9.2): that is newer than its URL. */
export function resumeAt({ input }: DescMethod, request: Message, lastEventId: string | undefined): void {
  const name = cursorName(input);
  if (name !== undefined && lastEventId) (request as Fields)[name] = lastEventId;
}
