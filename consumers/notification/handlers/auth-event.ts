import { timestampDate } from "@bufbuild/protobuf/wkt";
import { type AuthEvent, AuthEventSchema } from "#gen/auth/v1/auth_events_pb.js";
import type { IncomingEvent } from "#kit/events/consumer.ts";
import { decodeEvent } from "../../decode.ts";
import { accountAudience } from "../domain/audience.ts";
import type { News } from "../news.ts";
import type { Subject } from "../templates/notice.ts";

export function onAuthEvent(event: IncomingEvent): News {
  const { fact, userId } = decodeEvent(AuthEventSchema, event);
  return {
    hearers: accountAudience({ userId, fact }),
    taskId: undefined,
    actorId: undefined,
    subject: { taskTitle: "", changes: [], excerpt: "", apiKey: apiKeyOf(fact) },
  };
}

function apiKeyOf(fact: AuthEvent["fact"]): Subject["apiKey"] {
  if (fact.case !== "apiKeyExpiring") return undefined;
  const { name, expireTime } = fact.value;
  return { name, expireTime: expireTime && timestampDate(expireTime) };
}
