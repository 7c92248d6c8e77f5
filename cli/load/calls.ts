import { randomUUID } from "node:crypto";
import type { Answer, Call, HttpClient } from "./http.ts";
import { type KnownTask, Ledger, type NoticeType } from "./ledger.ts";
import type { Person } from "./people.ts";

/** Shares of reads and writes; only their ratio counts. */
export interface Mix {
  read: number;
  write: number;
}

type Draw = () => number;
// biome-ignore lint/suspicious/noExplicitAny: the answers of seven calls, each with its own shape
type Body = any;

/** Of 100 writes, and of 100 reads. */
const writes = { create: 40, update: 20, comment: 15, complete: 15, share: 10 } as const;
const reads = { get: 60, list: 40 } as const;

/**
 * The calls of people at work: each person writes to tasks of their own, one write to a task at a time, and gives,
 * shows and explains them to others. Every answer must be what was asked for.
 */
export class Calls {
  readonly ledger = new Ledger();
  readonly #client: HttpClient;
  readonly #people: readonly Person[];
  readonly #draw: Draw;
  readonly #readShare: number;

  constructor(client: HttpClient, people: readonly Person[], { read, write }: Mix, seed: number) {
    this.#client = client;
    this.#people = people;
    this.#draw = randomOf(seed);
    this.#readShare = read / (read + write);
  }

  /** One request of somebody; undefined when its answer is right, else the kind of failure. */
  send(index: number): Promise<string | undefined> {
    const person = this.#people[index % this.#people.length] as Person;
    if (this.#draw() < this.#readShare && this.ledger.readable(person, this.#draw)) {
      return pick(reads, this.#draw) === "get" ? this.#get(person) : this.#list(person);
    }
    const kind = pick(writes, this.#draw);
    const task = kind === "create" ? undefined : this.ledger.writable(person, this.#draw);
    if (task === undefined) return this.#create(person);
    if (kind === "update") return this.#update(task);
    if (kind === "comment") return this.#comment(task);
    if (kind === "complete") return this.#complete(task);
    return this.#share(task);
  }

  #get(person: Person): Promise<string | undefined> {
    const { taskId, revision } = this.ledger.readable(person, this.#draw) as KnownTask;
    return this.#ask({ method: "GET", path: `/v1/tasks/${taskId}`, token: person.token }, (task) => {
      return task.taskId === taskId && Number(task.revision) >= revision;
    });
  }

  #list({ token, userId }: Person): Promise<string | undefined> {
    return this.#ask({ method: "GET", path: "/v1/tasks?pageSize=20", token }, ({ tasks }) => {
      const isTask = (task: Body) => typeof task.title === "string" && task.taskId !== "" && task.ownerId !== "";
      return Array.isArray(tasks) && tasks.length > 0 && tasks.every(isTask) && userId !== "";
    });
  }

  #create(owner: Person): Promise<string | undefined> {
    const assignee = this.#draw() < 0.5 ? this.#other(owner) : undefined;
    const taskId = randomUUID();
    const title = `Load ${taskId}`;
    const task: KnownTask = {
      taskId,
      owner,
      title,
      revision: 1,
      isDone: false,
      members: new Set(assignee && [assignee.userId]),
      comments: new Set(),
      isBusy: false,
      isUnsure: false,
      notices: new Map(),
    };
    const body = { taskId, title, ...(assignee && { assigneeIds: [assignee.userId] }) };
    return this.#write(task, { path: "/v1/tasks", body, notice: "TASK_ASSIGNED" }, (made) => {
      if (made.taskId !== taskId || made.title !== title || made.ownerId !== owner.userId) return false;
      this.ledger.add(task);
      return made.status === "STATUS_OPEN" && Number(made.revision) === 1;
    });
  }

  #update(task: KnownTask): Promise<string | undefined> {
    const title = `Load ${randomUUID()}`;
    const target = { method: "PATCH", path: `/v1/tasks/${task.taskId}`, body: { title } } as const;
    return this.#write(task, { ...target, notice: "TASK_UPDATED" }, (now) => {
      const isNewer = Number(now.revision) > task.revision;
      Object.assign(task, { title: now.title, revision: Number(now.revision) });
      return now.taskId === task.taskId && now.title === title && isNewer;
    });
  }

  #comment(task: KnownTask): Promise<string | undefined> {
    const text = `Remark ${randomUUID()}`;
    const target = { path: `/v1/tasks/${task.taskId}/comments`, body: { text } };
    return this.#write(task, { ...target, notice: "COMMENT_ADDED" }, (comment) => {
      task.comments.add(comment.commentId);
      return comment.text === text && typeof comment.commentId === "string";
    });
  }

  #complete(task: KnownTask): Promise<string | undefined> {
    const target = { path: `/v1/tasks/${task.taskId}:complete`, body: {} };
    return this.#write(task, { ...target, notice: "TASK_COMPLETED" }, ({ task: done }) => {
      task.isDone = true;
      task.revision = Number(done.revision);
      return done.taskId === task.taskId && done.status === "STATUS_DONE";
    });
  }

  #share(task: KnownTask): Promise<string | undefined> {
    const { userId } = this.#other(task.owner);
    if (userId === task.owner.userId || task.members.has(userId)) return this.#comment(task);
    const target = { path: `/v1/tasks/${task.taskId}:share`, body: { userId, role: "ROLE_COMMENTER" } };
    return this.#write(task, { ...target, notice: "TASK_SHARED", recipients: [userId] }, ({ collaborator }) => {
      task.members.add(userId);
      return collaborator.userId === userId && collaborator.role === "ROLE_COMMENTER";
    });
  }

  /** A write, whose effect is certain once it is answered and open while it is not. */
  async #write(
    task: KnownTask,
    { method = "POST", path, body, notice, recipients = [...task.members] }: Write,
    isRight: (body: Body) => boolean,
  ): Promise<string | undefined> {
    task.isBusy = true;
    const failure = await this.#ask({ method, path, body, token: task.owner.token }, isRight);
    task.isBusy = false;
    if (failure === undefined || failure === wrongBody) this.ledger.expect(task, notice, recipients);
    else if (!isRefusal(failure)) {
      task.isUnsure = true;
      this.ledger.expect(task, notice, recipients, "unsure");
    }
    return failure;
  }

  async #ask(call: Call, isRight: (body: Body) => boolean): Promise<string | undefined> {
    try {
      return failureOf(await this.#client.call(call), isRight);
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException;
      return code ?? message;
    }
  }

  #other(person: Person): Person {
    const place = Math.floor(this.#draw() * (this.#people.length - 1));
    const found = this.#people[place] as Person;
    return found === person ? (this.#people.at(-1) as Person) : found;
  }
}

interface Write {
  method?: "POST" | "PATCH";
  path: string;
  body: unknown;
  notice: NoticeType;
  recipients?: string[];
}

const wrongBody = "wrong body";

/** Refused before anything was done: it has no effect. */
function isRefusal(failure: string): boolean {
  return /^(4\d\d|ECONNREFUSED)\b/.test(failure);
}

function failureOf({ status, body }: Answer, isRight: (body: Body) => boolean): string | undefined {
  if (status !== 200) return `${status}${reasonOf(body)}`;
  try {
    return isRight(JSON.parse(body)) ? undefined : wrongBody;
  } catch {
    return wrongBody;
  }
}

/** The reason that a problem document names, for the count of failures by kind. */
function reasonOf(body: string): string {
  const [, reason] = /"reason":\s*"([A-Z_]{1,60})"/.exec(body) ?? [];
  return reason === undefined ? "" : ` ${reason}`;
}

function pick<K extends string>(shares: Readonly<Record<K, number>>, draw: Draw): K {
  let left = draw() * 100;
  for (const [kind, share] of Object.entries(shares) as [K, number][]) {
    left -= share;
    if (left < 0) return kind;
  }
  return Object.keys(shares)[0] as K;
}

/** The same numbers for the same seed (mulberry32). */
export function randomOf(seed: number): Draw {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}
