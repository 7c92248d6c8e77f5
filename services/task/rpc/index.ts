import type { TaskService } from "#gen/task/v1/task_service_pb.js";
import type { ServiceImpl } from "#kit/grpc/service.ts";
import type { TaskContext } from "../context.ts";
import { completeTask } from "./complete-task.ts";
import { createComment } from "./create-comment.ts";
import { createLabel } from "./create-label.ts";
import { createReminder } from "./create-reminder.ts";
import { createTask } from "./create-task.ts";
import { deleteReminder } from "./delete-reminder.ts";
import { deleteTask } from "./delete-task.ts";
import { findTaskPeers } from "./find-task-peers.ts";
import { getTask } from "./get-task.ts";
import { getTaskStats } from "./get-task-stats.ts";
import { importTasks } from "./import-tasks.ts";
import { listCollaborators } from "./list-collaborators.ts";
import { listComments } from "./list-comments.ts";
import { listLabels } from "./list-labels.ts";
import { listReminders } from "./list-reminders.ts";
import { listTaskActivity } from "./list-task-activity.ts";
import { listTasks } from "./list-tasks.ts";
import { shareTask } from "./share-task.ts";
import { snoozeReminder } from "./snooze-reminder.ts";
import { updateTask } from "./update-task.ts";

export const rpc = (ctx: TaskContext): ServiceImpl<typeof TaskService> => ({
  createTask: createTask(ctx),
  getTask: getTask(ctx),
  listTasks: listTasks(ctx),
  getTaskStats: getTaskStats(ctx),
  updateTask: updateTask(ctx),
  completeTask: completeTask(ctx),
  deleteTask: deleteTask(ctx),
  shareTask: shareTask(ctx),
  listCollaborators: listCollaborators(ctx),
  createComment: createComment(ctx),
  listComments: listComments(ctx),
  listTaskActivity: listTaskActivity(ctx),
  createReminder: createReminder(ctx),
  listReminders: listReminders(ctx),
  snoozeReminder: snoozeReminder(ctx),
  deleteReminder: deleteReminder(ctx),
  listLabels: listLabels(ctx),
  createLabel: createLabel(ctx),
  importTasks: importTasks(ctx),
  findTaskPeers: findTaskPeers(ctx),
});
