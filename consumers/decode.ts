import { fromBinary, type Message } from "@bufbuild/protobuf";
import type { GenMessage } from "@bufbuild/protobuf/codegenv2";
import { type IncomingEvent, PermanentEventError } from "#kit/events/consumer.ts";

type AnyEvent = Message & { eventId: string; fact: { case: string | undefined } };

/** An event whose fact this program knows. */
export type KnownEvent<E extends AnyEvent> = Omit<E, "fact"> & { fact: Exclude<E["fact"], { case: undefined }> };

/**
 * Reads the value of an event. Throws a PermanentEventError for one that is not of this schema, or whose fact this
 * program does not know: it waits among the dead letters for one that does.
 */
export function decodeEvent<E extends AnyEvent>(
  schema: GenMessage<E>,
  { meta, value }: Pick<IncomingEvent, "meta" | "value">,
): KnownEvent<E> {
  const event = read(schema, value);
  if (event.eventId !== meta.eventId) throw new PermanentEventError("undecodable");
  if (event.fact.case === undefined) throw new PermanentEventError("unknown_type");
  return event as unknown as KnownEvent<E>;
}

function read<E extends AnyEvent>(schema: GenMessage<E>, value: Uint8Array): E {
  try {
    return fromBinary(schema, value) as E;
  } catch (error) {
    throw new PermanentEventError("undecodable", error);
  }
}
