import { defineEntity, p } from "@mikro-orm/core";

export const ActivityEntity = defineEntity({
  name: "Activity",
  tableName: "task_activity",
  properties: {
    taskId: p.uuid().primary(),
    occurTime: p.datetime(3).primary(),
    sequence: p.bigint().primary(),
    activityId: p.uuid(),
    actorId: p.uuid(),
    fact: p.blob(),
  },
});
