import { defineEntity, p } from "@mikro-orm/core";

/** Who may see a task, the owner included: whatever a person may see is found by one join. */
export const CollaboratorEntity = defineEntity({
  name: "Collaborator",
  tableName: "collaborator",
  properties: {
    taskId: p.uuid().primary(),
    userId: p.uuid().primary(),
    /** The numbers of task.v1.Role. */
    role: p.smallint(),
    createTime: p.datetime(3),
    /** The task's own, which never changes: one index gives a person's tasks in the order of the list. */
    taskCreateTime: p.datetime(3),
  },
  indexes: [{ name: "collaborator_user_newest", properties: ["userId", "taskCreateTime", "taskId"] }],
});
