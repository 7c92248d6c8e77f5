import { timestampDate } from "@bufbuild/protobuf/wkt";
import { UserEventSchema } from "#gen/user/v1/user_events_pb.js";
import type { IncomingEvent } from "#kit/events/consumer.ts";
import { decodeEvent } from "../../decode.ts";
import type { SchedulerGroupContext } from "../context.ts";
import type { Told } from "../news.ts";

export async function onUserEvent({ people }: SchedulerGroupContext, event: IncomingEvent): Promise<Told> {
  const { fact, userId, occurTime: time } = decodeEvent(UserEventSchema, event);
  const occurTime = time ? timestampDate(time) : event.meta.occurTime;
  if (fact.case !== "userUpdated" || !fact.value.changedFields.includes("time_zone")) {
    return { news: { kind: "nothing" }, occurTime };
  }
  const person = (await people.byId([userId], event.signal)).get(userId);
  if (person === undefined) return { news: { kind: "nothing" }, occurTime };
  return { news: { kind: "time zone", recipientId: userId, timeZone: person.timeZone || "UTC" }, occurTime };
}
