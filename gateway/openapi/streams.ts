import type { Binding } from "../transcoding/binding.ts";
import { streamFormats } from "../transcoding/stream-format.ts";
import type { MediaType, Parameter } from "./model.ts";

/** Where a browser goes on: it sends the id of the last event by itself. */
export const lastEventId: Parameter = {
  name: "Last-Event-ID",
  in: "header",
  description: "The id of the last event, which is its cursor: the stream goes on behind it.",
  schema: { type: "string", maxLength: 1024 },
};

export function isStream({ method }: Binding): boolean {
  return method.methodKind === "server_streaming";
}

/** How the messages of a stream are answered, in every format; `message` is what one of them is. */
export function streamContent(message: MediaType): Record<string, MediaType> {
  return Object.fromEntries(
    streamFormats.map(({ mediaType }) => [
      mediaType,
      mediaType === "text/event-stream" ? events(message) : line(message),
    ]),
  );
}

function line({ schema, example }: MediaType): MediaType {
  return {
    schema: {
      type: "object",
      description: "One line. The error is the last one, of a stream that failed.",
      oneOf: [
        { properties: { result: schema }, required: ["result"] },
        { properties: { error: { $ref: "#/components/schemas/Problem" } }, required: ["error"] },
      ] as never,
    },
    ...(example !== undefined && { example: { result: example } }),
  };
}

function events({ example }: MediaType): MediaType {
  const description =
    "Server-sent events. `data` is a message as JSON, and `id` its cursor. A stream that fails ends with the event `error`, whose data is a problem document; one that is over with the event `end`.";
  const schema = { type: "string", description };
  const message = streamFormats.find(({ mediaType }) => mediaType === "text/event-stream")?.message;
  return example === undefined || message === undefined
    ? { schema }
    : { schema, example: message(JSON.stringify(example)) };
}
