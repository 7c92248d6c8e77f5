import { TaskEventSchema } from "#gen/task/v1/task_events_pb.js";
import type { IncomingEvent } from "#kit/events/consumer.ts";
import { decodeEvent } from "../../decode.ts";
import { taskAudience, tellingChanges } from "../domain/audience.ts";
import type { News } from "../news.ts";

export function onTaskEvent(event: IncomingEvent): News {
  const { fact, actorId, memberIds, taskId, title } = decodeEvent(TaskEventSchema, event);
  return {
    hearers: taskAudience({ actorId, memberIds, fact }),
    taskId,
    actorId,
    subject: {
      taskTitle: title,
      changes: tellingChanges(fact),
      excerpt: fact.case === "commentAdded" ? fact.value.excerpt : "",
    },
  };
}
