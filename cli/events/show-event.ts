import { type DescMessage, fromBinary, toJson } from "@bufbuild/protobuf";
import { type ReflectMessage, reflect } from "@bufbuild/protobuf/reflect";
import { AuthEventSchema } from "#gen/auth/v1/auth_events_pb.js";
import { AlertEventSchema } from "#gen/notification/v1/alert_events_pb.js";
import { DeliveryEventSchema } from "#gen/notification/v1/delivery_events_pb.js";
import { TaskEventSchema } from "#gen/task/v1/task_events_pb.js";
import { UserEventSchema } from "#gen/user/v1/user_events_pb.js";
import type { TailedRecord } from "#kit/events/tail.ts";

/** The events of each package, the usual ones first; a retry topic has those of several. */
const schemas: Readonly<Record<string, readonly [DescMessage, ...DescMessage[]]>> = {
  auth: [AuthEventSchema],
  user: [UserEventSchema],
  task: [TaskEventSchema],
  notification: [DeliveryEventSchema, AlertEventSchema],
};

/** A record as one JSON object. What people wrote is left out unless `content` is true. */
export function showEvent(record: TailedRecord, content: boolean): Record<string, unknown> {
  const { topic, partition, offset, time, key, type, eventId, occurTime, traceId, value } = record;
  return {
    time: time.toISOString(),
    topic,
    partition,
    offset,
    key,
    type,
    eventId,
    occurTime: occurTime.toISOString(),
    ...(traceId !== undefined && { traceId }),
    event: decodeEvent(type, value, content),
  };
}

/** An event as JSON: undefined for a type that is not known here, null for a value that is no such event. */
export function decodeEvent(type: string, value: Uint8Array, content: boolean): unknown {
  const known = schemas[type.split(".")[0] ?? ""];
  if (known === undefined) return undefined;
  const schema = known.find(({ fields }) => fields.some(({ message }) => message?.typeName === type)) ?? known[0];
  try {
    const message = fromBinary(schema, value);
    if (!content) leaveOutTexts(reflect(schema, message));
    return toJson(schema, message);
  } catch {
    return null;
  }
}

/** Ids and names of fields are no secret; any other text may be somebody's own, that of a field to come included. */
function leaveOutTexts(message: ReflectMessage): void {
  for (const field of message.desc.fields) {
    if (!message.isSet(field)) continue;
    if (field.fieldKind === "message") {
      if (!field.message.typeName.startsWith("google.protobuf.")) leaveOutTexts(message.get(field) as ReflectMessage);
    } else if (field.fieldKind === "list" && field.listKind === "message") {
      for (const item of message.get(field) as Iterable<ReflectMessage>) leaveOutTexts(item);
    } else if (field.fieldKind === "map" || (mayHoldText(field) && !/_(ids?|fields)$/.test(field.name))) {
      message.clear(field);
    }
  }
}

function mayHoldText(field: { scalar?: number | undefined }): boolean {
  return field.scalar === 9 || field.scalar === 12;
}
