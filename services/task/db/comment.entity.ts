import { defineEntity, p } from "@mikro-orm/core";

export const CommentEntity = defineEntity({
  name: "Comment",
  tableName: "comment",
  properties: {
    commentId: p.uuid().primary(),
    taskId: p.uuid(),
    authorId: p.uuid(),
    text: p.text(),
    createTime: p.datetime(3),
  },
  indexes: [{ name: "comment_task", properties: ["taskId", "createTime", "commentId"] }],
});
