import { invalidArgument } from "#kit/errors.ts";
import { isTimeZone } from "../due.ts";
import { type Due, limits, type Recurrence } from "../task.ts";
import { type DateReading, readDate } from "./date-text.ts";
import { readRecords, type TodoistRecord } from "./records.ts";
import { readNote, readTaskText, type TaskText } from "./task-text.ts";

export interface PlannedTask extends TaskText {
  priority: number;
  due: Due | null;
  recurrence: Recurrence | null;
  /** The place of the parent in the plan. */
  parent: number | undefined;
  comments: string[];
}

export interface SkippedRecord {
  line: number;
  reason: string;
}

export interface ImportPlan {
  tasks: PlannedTask[];
  skipped: SkippedRecord[];
}

export interface ImportFrame {
  /** For records that name no time zone. */
  timeZone: string;
  now: Date;
  /** Awaited every few milliseconds, so that a large file does not keep the process from other work. */
  breathe: () => Promise<void>;
}

const maxTasks = 5000;
const msPerBreath = 8;

/** Todoist's 1 is the most urgent and its 4 says nothing; ours run from 4, urgent, to 0, none. */
const priorities: Readonly<Record<string, number>> = { "": 0, "1": 4, "2": 3, "3": 2, "4": 0 };

/** What an export of Todoist comes to. Throws INVALID_ARGUMENT for the field `content` when it is malformed. */
export async function planImport(content: Uint8Array, frame: ImportFrame): Promise<ImportPlan> {
  const planner = new Planner(frame);
  let since = performance.now();
  for (const record of readRecords(content)) {
    planner.add(record);
    if (performance.now() - since > msPerBreath) {
      await frame.breathe();
      since = performance.now();
    }
  }
  return planner.plan;
}

class Planner {
  readonly plan: ImportPlan = { tasks: [], skipped: [] };
  readonly #frame: ImportFrame;
  readonly #dates = new Map<string, DateReading>();
  /** The place in the plan of the newest task on each level, the uppermost first. */
  #path: number[] = [];
  /** Where notes belong; undefined before the first task and after one that was left out. */
  #current: PlannedTask | undefined;

  constructor(frame: ImportFrame) {
    this.#frame = frame;
  }

  add(record: TodoistRecord): void {
    const type = record.type.trim().toLowerCase();
    if (type === "task") this.#addTask(record);
    else if (type === "note") this.#addNote(record);
    else if (type === "section") this.#skip(record, "sections are not taken over; its tasks are");
    else this.#skip(record, `records of the type "${record.type.trim().slice(0, 40)}" are not taken over`);
  }

  #addTask(record: TodoistRecord): void {
    const text = readTaskText(record.content, record.description);
    this.#current = undefined;
    if (text.title === "") {
      this.#skip(record, "the task has no text");
      return;
    }
    if (this.plan.tasks.length >= maxTasks) {
      throw invalidArgument("content", `line ${record.line}: more than ${maxTasks} tasks`);
    }
    const level = this.#levelOf(record);
    const { due, recurrence } = this.#dateOf(record);
    const task = {
      ...text,
      priority: this.#priorityOf(record),
      due,
      recurrence,
      parent: this.#path[level - 2],
      comments: [],
    };
    this.#path = [...this.#path.slice(0, level - 1), this.plan.tasks.length];
    this.plan.tasks.push(task);
    this.#current = task;
    if (record.responsible.trim() !== "") this.#skip(record, "who is responsible is not taken over");
    if (record.deadline.trim() !== "") this.#skip(record, "the deadline is not taken over; the date is");
  }

  #addNote(record: TodoistRecord): void {
    const text = readNote(record.content);
    if (text === "") this.#skip(record, "the note has no text");
    else if (this.#current === undefined) this.#skip(record, "the note belongs to no task");
    else this.#current.comments.push(text);
  }

  /** A level that cannot be is brought to the nearest one that can. */
  #levelOf(record: TodoistRecord): number {
    const wanted = record.indent.trim() === "" ? 1 : Number(record.indent);
    if (!Number.isInteger(wanted) || wanted < 1) {
      this.#skip(record, "the indent is no number from 1; the task is on the uppermost level");
      return 1;
    }
    const level = Math.min(wanted, this.#path.length + 1, limits.levels);
    if (level !== wanted) this.#skip(record, `an indent of ${wanted} cannot be here; the task is on level ${level}`);
    return level;
  }

  #priorityOf(record: TodoistRecord): number {
    const priority = priorities[record.priority.trim()];
    if (priority === undefined) this.#skip(record, "the priority is none from 1 to 4; the task has none");
    return priority ?? 0;
  }

  #dateOf(record: TodoistRecord): DateReading {
    if (record.date.trim() === "") return { due: null, recurrence: null };
    const given = record.timeZone.trim();
    const timeZone = isTimeZone(given) ? given : this.#frame.timeZone;
    if (given !== timeZone && given !== "") this.#skip(record, `the time zone is not known; ${timeZone} is taken`);
    const key = JSON.stringify([record.date, record.dateLanguage, timeZone]);
    let reading = this.#dates.get(key);
    if (reading === undefined) {
      reading = readDate(record.date, { language: record.dateLanguage, timeZone, now: this.#frame.now });
      this.#dates.set(key, reading);
    }
    if (reading.problem !== undefined) this.#skip(record, `${reading.problem}; the task has no due`);
    return reading;
  }

  #skip({ line }: TodoistRecord, reason: string): void {
    this.plan.skipped.push({ line, reason });
  }
}
