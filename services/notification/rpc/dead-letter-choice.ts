import type { MessageInitShape } from "@bufbuild/protobuf";
import type {
  RedriveDeadLettersRequest,
  RedriveDeadLettersResponseSchema,
} from "#gen/notification/v1/notification_service_pb.js";
import { decodePageToken, encodePageToken, type PageCursor } from "#kit/db/page-token.ts";
import type { DeadLetter, RecordPlace } from "#kit/events/dead-letter-list.ts";
import type { ChosenDeadLetters } from "#kit/events/redrive.ts";
import type { NotificationContext } from "../context.ts";
import { deadLetterToProto } from "./convert.ts";

const defaultPageSize = 100;

type Request = Omit<RedriveDeadLettersRequest, "$typeName" | "$unknown">;

/** Runs `deed` on a page of the dead letters that a request names, and answers with it. */
export async function forChosen(
  { pageKey }: NotificationContext,
  { group, deadLetterIds, eventType, reason, validateOnly, pageSize, pageToken }: Request,
  deed: (chosen: ChosenDeadLetters) => Promise<DeadLetter[]>,
): Promise<Omit<MessageInitShape<typeof RedriveDeadLettersResponseSchema>, "$typeName" | "$unknown">> {
  const scope = { list: "waiting dead letters", group, deadLetterIds, eventType, reason, validateOnly };
  const limit = pageSize || defaultPageSize;
  const letters = await deed({
    group,
    deadLetterIds: deadLetterIds.length > 0 ? deadLetterIds : undefined,
    type: eventType || undefined,
    reason: reason || undefined,
    after: placeOf(decodePageToken(pageKey, scope, pageToken)),
    limit,
    dryRun: validateOnly,
  });
  const last = letters.at(-1);
  const mayHaveMore = letters.length === limit && last !== undefined;
  return {
    deadLetters: letters.map(deadLetterToProto),
    nextPageToken: mayHaveMore
      ? encodePageToken(pageKey, scope, [last.topic, last.partition, String(last.offset)])
      : "",
  };
}

function placeOf(cursor: PageCursor | undefined): RecordPlace | undefined {
  if (cursor === undefined) return undefined;
  const [topic, partition, offset] = cursor;
  return { topic: String(topic), partition: Number(partition), offset: BigInt(String(offset)) };
}
