import { timestampDate } from "@bufbuild/protobuf/wkt";
import type { DeadLetter, RecordPlace } from "#gen/notification/v1/dead_letter_pb.js";

/** A dead letter as one JSON object, without what people wrote. */
export function showDeadLetter({ place, origin, failTime, redriveTime, ...letter }: DeadLetter) {
  return {
    id: letter.deadLetterId,
    group: letter.group,
    place: place === undefined ? null : showPlace(place),
    origin: origin === undefined ? null : showPlace(origin),
    key: letter.key,
    eventId: letter.eventId,
    type: letter.eventType,
    reason: letter.reason,
    errorClass: letter.errorClass,
    attempts: letter.attemptCount,
    failTime: failTime === undefined ? null : timestampDate(failTime).toISOString(),
    redriveTime: redriveTime === undefined ? null : timestampDate(redriveTime).toISOString(),
    redrives: letter.redriveCount,
    traceId: letter.traceId,
  };
}

export type ShownDeadLetter = ReturnType<typeof showDeadLetter>;

export const deadLetterHeading = [
  "ID",
  "GROUP",
  "GIVEN UP",
  "EVENT",
  "REASON",
  "TRIES",
  "SENT BACK",
  "ORIGIN",
  "TRACE",
];

/** The same as the cells of a line. */
export function deadLetterCells(letter: ShownDeadLetter): string[] {
  const { reason, errorClass } = letter;
  return [
    letter.id,
    letter.group,
    toSeconds(letter.failTime),
    letter.type || "-",
    reason === "tries_exhausted" ? `${reason} (${errorClass})` : reason,
    String(letter.attempts),
    toSeconds(letter.redriveTime) || "-",
    placeText(letter.origin),
    letter.traceId || "-",
  ];
}

/** `task.events.v1/3@120`: topic, partition and offset. */
export function placeText(place: ShownDeadLetter["place"]): string {
  return place === null ? "-" : `${place.topic}/${place.partition}@${place.offset}`;
}

function toSeconds(time: string | null): string {
  return time?.replace(/\.\d+Z$/, "Z") ?? "";
}

function showPlace({ topic, partition, offset }: RecordPlace) {
  return { topic, partition, offset: String(offset) };
}
