import { Status } from "./task.ts";

/** What a change of status means; "refused" when there is no such way. */
export type Transition = "none" | "moved" | "completed" | "reopened" | "refused";

const { OPEN, IN_PROGRESS, DONE, CANCELLED } = Status;

const transitions: Record<Status, Record<Status, Transition>> = {
  [OPEN]: { [OPEN]: "none", [IN_PROGRESS]: "moved", [DONE]: "completed", [CANCELLED]: "moved" },
  [IN_PROGRESS]: { [OPEN]: "moved", [IN_PROGRESS]: "none", [DONE]: "completed", [CANCELLED]: "moved" },
  [DONE]: { [OPEN]: "reopened", [IN_PROGRESS]: "reopened", [DONE]: "none", [CANCELLED]: "refused" },
  [CANCELLED]: { [OPEN]: "reopened", [IN_PROGRESS]: "reopened", [DONE]: "refused", [CANCELLED]: "none" },
};

export function transition(from: Status, to: Status): Transition {
  return transitions[from][to];
}

/** When the task became done, after a change of status at the given time. */
export function completeTimeAfter(before: { status: Status; completeTime: Date | null }, to: Status, at: Date) {
  if (to !== DONE) return null;
  return before.status === DONE ? before.completeTime : at;
}
