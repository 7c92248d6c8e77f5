import type { ConsumersContext } from "./context.ts";
import { emailGroup } from "./email/group.ts";
import type { Group } from "./group.ts";
import { notificationGroup } from "./notification/group.ts";

export const groupNames = ["notification", "email"] as const;
export type GroupName = (typeof groupNames)[number];

/** What each consumer group hears and does. */
export const groups: Record<GroupName, (ctx: ConsumersContext) => Group<unknown>> = {
  notification: notificationGroup,
  email: emailGroup,
};

export function isGroupName(name: string): name is GroupName {
  return groupNames.some((known) => known === name);
}
