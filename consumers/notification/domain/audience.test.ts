import { describe, expect, it } from "vitest";
import { type AccountFact, accountAudience, type NoticeKind, type TaskFact, taskAudience } from "./audience.ts";

const actor = "anna";
const memberIds = [actor, "ben", "cleo"];

type Told = Record<string, NoticeKind>;
const toldOf = (hearers: { recipientId: string; kind: NoticeKind }[]): Told =>
  Object.fromEntries(hearers.map(({ recipientId, kind }) => [recipientId, kind]));

const taskCases: [string, TaskFact, Told][] = [
  [
    "a new task: those who are to do it",
    { case: "taskCreated", value: { assigneeIds: ["ben"], automatic: false } },
    { ben: "task_assigned" },
  ],
  ["a new task of one's own: nobody", { case: "taskCreated", value: { assigneeIds: [actor], automatic: false } }, {}],
  ["an imported task: nobody", { case: "taskCreated", value: { assigneeIds: ["ben"], automatic: true } }, {}],
  [
    "a change: the other members",
    { case: "taskUpdated", value: { changedFields: ["due"], addedAssigneeIds: [] } },
    { ben: "task_updated", cleo: "task_updated" },
  ],
  [
    "a change with a new assignee: that one as assigned, once",
    { case: "taskUpdated", value: { changedFields: ["title", "assignee_ids"], addedAssigneeIds: ["cleo", "cleo"] } },
    { ben: "task_updated", cleo: "task_assigned" },
  ],
  [
    "a new assignee alone: nobody else",
    { case: "taskUpdated", value: { changedFields: ["assignee_ids"], addedAssigneeIds: ["ben"] } },
    { ben: "task_assigned" },
  ],
  [
    "a change of what only its owner sees to: nobody",
    { case: "taskUpdated", value: { changedFields: ["label_ids", "project_id"], addedAssigneeIds: [] } },
    {},
  ],
  [
    "taking a task oneself: nobody",
    { case: "taskUpdated", value: { changedFields: ["assignee_ids"], addedAssigneeIds: [actor] } },
    {},
  ],
  [
    "a completed task: the other members",
    { case: "taskCompleted", value: {} },
    { ben: "task_completed", cleo: "task_completed" },
  ],
  [
    "a reopened task: the other members, as a change",
    { case: "taskReopened", value: {} },
    { ben: "task_updated", cleo: "task_updated" },
  ],
  [
    "a deleted task: the other members",
    { case: "taskDeleted", value: {} },
    { ben: "task_deleted", cleo: "task_deleted" },
  ],
  [
    "a shared task: the new collaborator",
    { case: "taskShared", value: { userId: "dora", roleChanged: false } },
    { dora: "task_shared" },
  ],
  ["another role: nobody", { case: "taskShared", value: { userId: "ben", roleChanged: true } }, {}],
  [
    "a comment: the other members",
    { case: "commentAdded", value: { automatic: false } },
    { ben: "comment_added", cleo: "comment_added" },
  ],
  ["an imported comment: nobody", { case: "commentAdded", value: { automatic: true } }, {}],
  ["a reminder: nobody", { case: "reminderSet", value: {} }, {}],
  ["a reminder taken back: nobody", { case: "reminderRemoved", value: {} }, {}],
];

describe("taskAudience", () => {
  it.each(taskCases)("%s", (_, fact, told) => {
    const hearers = taskAudience({ actorId: actor, memberIds, fact });
    expect(toldOf(hearers)).toEqual(told);
    expect(hearers).toHaveLength(Object.keys(told).length);
  });

  it("has a case for every fact", () => {
    const cases = {
      taskCreated: true,
      taskUpdated: true,
      taskCompleted: true,
      taskReopened: true,
      taskDeleted: true,
      taskShared: true,
      commentAdded: true,
      reminderSet: true,
      reminderRemoved: true,
    } satisfies Record<TaskFact["case"], true>;
    expect(new Set(taskCases.map(([, fact]) => fact.case))).toEqual(new Set(Object.keys(cases)));
  });

  it("tells a member that is named twice once", () => {
    const hearers = taskAudience({
      actorId: actor,
      memberIds: ["ben", "ben"],
      fact: { case: "taskDeleted", value: {} },
    });
    expect(hearers).toEqual([{ recipientId: "ben", kind: "task_deleted" }]);
  });
});

describe("accountAudience", () => {
  it.each([
    ["registrationAttempted", { anna: "registration_attempted" }],
    ["refreshTokenReused", { anna: "session_compromised" }],
    ["apiKeyExpiring", { anna: "api_key_expiring" }],
    ["accountRegistered", {}],
    ["sessionRevoked", {}],
  ] satisfies [AccountFact["case"], Told][])("%s", (name, told) => {
    expect(toldOf(accountAudience({ userId: "anna", fact: { case: name } }))).toEqual(told);
  });
});
