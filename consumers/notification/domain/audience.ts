/** What a notification is about. */
export type NoticeKind =
  | "task_assigned"
  | "task_shared"
  | "task_updated"
  | "task_completed"
  | "task_deleted"
  | "comment_added"
  | "registration_attempted"
  | "session_compromised"
  | "api_key_expiring";

/** One person who hears of an event, and as what. */
export interface Hearer {
  recipientId: string;
  kind: NoticeKind;
}

/** What happened to a task, as far as it decides who hears of it. */
export type TaskFact =
  | { case: "taskCreated"; value: { assigneeIds: readonly string[]; automatic: boolean } }
  | { case: "taskUpdated"; value: { changedFields: readonly string[]; addedAssigneeIds: readonly string[] } }
  | { case: "taskCompleted" | "taskReopened" | "taskDeleted"; value: object }
  | { case: "taskShared"; value: { userId: string; roleChanged: boolean } }
  | { case: "commentAdded"; value: { automatic: boolean } }
  | { case: "reminderSet" | "reminderRemoved"; value: object };

export interface TaskChange {
  actorId: string;
  /** Everybody who may see the task. */
  memberIds: readonly string[];
  fact: TaskFact;
}

export type AccountFact = {
  case: "accountRegistered" | "registrationAttempted" | "sessionRevoked" | "refreshTokenReused" | "apiKeyExpiring";
};

export interface AccountChange {
  userId: string;
  fact: AccountFact;
}

/** The fields of a task whose change matters to others than the one who made it. */
const tellingFields = ["title", "description", "status", "priority", "due", "recurrence"] as const;
export type TellingField = (typeof tellingFields)[number];

/** The changed fields of an event that are worth a notification. */
export function tellingChanges(fact: TaskFact): TellingField[] {
  if (fact.case === "taskReopened") return ["status"];
  if (fact.case !== "taskUpdated") return [];
  return tellingFields.filter((field) => fact.value.changedFields.includes(field));
}

/** Who hears of a change of a task: nobody of what that person did, each person once, nobody of an import. */
export function taskAudience(change: TaskChange): Hearer[] {
  const { fact, memberIds } = change;
  switch (fact.case) {
    case "taskCreated":
      return fact.value.automatic ? [] : others(change, fact.value.assigneeIds, "task_assigned");
    case "taskUpdated": {
      const assigned = others(change, fact.value.addedAssigneeIds, "task_assigned");
      const updated = tellingChanges(fact).length > 0 ? others(change, memberIds, "task_updated") : [];
      return onePerPerson([...assigned, ...updated]);
    }
    case "taskReopened":
      return others(change, memberIds, "task_updated");
    case "taskCompleted":
      return others(change, memberIds, "task_completed");
    case "taskDeleted":
      return others(change, memberIds, "task_deleted");
    case "taskShared":
      return fact.value.roleChanged ? [] : others(change, [fact.value.userId], "task_shared");
    case "commentAdded":
      return fact.value.automatic ? [] : others(change, memberIds, "comment_added");
    case "reminderSet":
    case "reminderRemoved":
      return [];
    default:
      return fact satisfies never;
  }
}

/** Who hears of a change of an account: its owner, of what somebody else may have done to it, and of what ends. */
export function accountAudience({ userId, fact }: AccountChange): Hearer[] {
  switch (fact.case) {
    case "registrationAttempted":
      return [{ recipientId: userId, kind: "registration_attempted" }];
    case "refreshTokenReused":
      return [{ recipientId: userId, kind: "session_compromised" }];
    case "apiKeyExpiring":
      return [{ recipientId: userId, kind: "api_key_expiring" }];
    case "accountRegistered":
    case "sessionRevoked":
      return [];
    default:
      return fact.case satisfies never;
  }
}

function others({ actorId }: TaskChange, ids: readonly string[], kind: NoticeKind): Hearer[] {
  return onePerPerson(ids.filter((id) => id !== actorId).map((recipientId) => ({ recipientId, kind })));
}

/** Keeps the first for each person. */
function onePerPerson(hearers: Hearer[]): Hearer[] {
  const seen = new Set<string>();
  return hearers.filter(({ recipientId }) => !seen.has(recipientId) && seen.add(recipientId));
}
