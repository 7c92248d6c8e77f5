/** Where a task stands. The numbers are stored, and are those of task.v1.Status. */
export const Status = { OPEN: 1, IN_PROGRESS: 2, DONE: 3, CANCELLED: 4 } as const;
export type Status = (typeof Status)[keyof typeof Status];

/** What somebody may do with a task. The numbers are stored, and are those of task.v1.Role; more is a higher number. */
export const Role = { VIEWER: 1, COMMENTER: 2, EDITOR: 3, OWNER: 4 } as const;
export type Role = (typeof Role)[keyof typeof Role];

/** When a task is due: a day, or a clock reading that is floating unless it has a zone. */
export interface Due {
  /** "2026-11-30" or "2026-11-30T09:00:00". */
  local: string;
  /** IANA name; null for a day and for a floating time. */
  timeZone: string | null;
}

export interface Recurrence {
  /** RFC 5545 section 3.3.10, without "RRULE:". */
  rrule: string;
  exdates: string[];
  fromCompletion: boolean;
}

/** Which task of a series it is. */
export interface Occurrence {
  seriesId: string;
  /** Counts the occurrences of the rule from 1, those that were left out included. */
  index: number;
}

/** What people can set of a task. */
export interface TaskFields {
  title: string;
  description: string;
  status: Status;
  priority: number;
  due: Due | null;
  parentTaskId: string | null;
  labelIds: string[];
  assigneeIds: string[];
  recurrence: Recurrence | null;
}

export interface Task extends TaskFields {
  taskId: string;
  ownerId: string;
  /** Set exactly while the task recurs. */
  occurrence: Occurrence | null;
  createTime: Date;
  updateTime: Date;
  completeTime: Date | null;
  /** Counts the changes from 1. */
  revision: bigint;
  /** The sequence of the newest event of this task. */
  eventSequence: bigint;
}

/** Somebody who takes part in a task. */
export interface Member {
  userId: string;
  role: Role;
}

export interface Collaborator extends Member {
  taskId: string;
  createTime: Date;
}

export const limits = {
  /** Levels of a tree of tasks, the uppermost included. */
  levels: 5,
  collaborators: 200,
  labelsOfUser: 1000,
  labelsOfTask: 50,
  titleLength: 500,
  descriptionLength: 16_384,
  commentLength: 10_000,
} as const;
