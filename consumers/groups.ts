import type { ConsumersContext } from "./context.ts";
import { emailGroup } from "./email/group.ts";
import type { Group } from "./group.ts";
import { notificationGroup } from "./notification/group.ts";
import { pushGroup } from "./push/group.ts";
import { schedulerGroup } from "./scheduler/group.ts";
import { urgentGroup } from "./urgent/group.ts";
import { webhookGroup } from "./webhook/group.ts";

export const groupNames = ["notification", "email", "webhook", "push", "urgent", "scheduler"] as const;
export type GroupName = (typeof groupNames)[number];

/** What each consumer group hears and does. */
export const groups: Record<GroupName, (ctx: ConsumersContext) => Group<unknown>> = {
  notification: notificationGroup,
  email: emailGroup,
  webhook: webhookGroup,
  push: pushGroup,
  urgent: urgentGroup,
  scheduler: schedulerGroup,
};

export function isGroupName(name: string): name is GroupName {
  return groupNames.some((known) => known === name);
}
