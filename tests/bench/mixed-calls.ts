import { randomOf } from "../../cli/load/calls.ts";
import type { Call } from "../../cli/load/http.ts";

/** Whoever can make a call of the edge. */
export interface Caller {
  call(call: Call): Promise<{ status: number; body: string }>;
}

/** Somebody who is signed in. */
export interface SignedIn {
  userId: string;
  token: string;
}

/** Of 100 calls: nine in ten read, and each stateless service has a good part. */
const shares = { get: 25, list: 15, inbox: 17, profile: 16, keys: 17, create: 10 } as const;
type Kind = keyof typeof shares;
const kinds = (Object.keys(shares) as Kind[]).flatMap((kind) => Array<Kind>(shares[kind]).fill(kind));

const title = "Send the quarterly figures to the board";
const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-[47][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

/** Calls of people who read and create tasks, look at their inbox, their profile and their keys. Every answer is checked. */
export class MixedCalls {
  readonly #people: readonly SignedIn[];
  /** A task of each person, to read. */
  readonly #tasks: string[] = [];
  readonly #draw: () => number;
  /** Every task whose creation was acknowledged. */
  readonly created = new Set<string>();

  private constructor(people: readonly SignedIn[], seed: number) {
    this.#people = people;
    this.#draw = randomOf(seed);
  }

  /** Gives each person a task first. */
  static async prepare(caller: Caller, people: readonly SignedIn[], seed = 1): Promise<MixedCalls> {
    const calls = new MixedCalls(people, seed);
    for (const [index, person] of people.entries()) {
      const failure = await calls.#create(caller, person, (taskId) => {
        calls.#tasks[index] = taskId;
      });
      if (failure !== undefined) throw new Error(`the first task of a person cannot be created: ${failure}`);
    }
    return calls;
  }

  /** One call of somebody, of a kind that is drawn; undefined when its answer is right, else what it was. */
  send(
    caller: Caller,
    index: number,
    kind = kinds[Math.floor(this.#draw() * kinds.length)],
  ): Promise<string | undefined> {
    const place = index % this.#people.length;
    const { userId, token } = this.#people[place] as SignedIn;
    const get = (path: string, isRight: (body: Body) => boolean) =>
      ask(caller, { method: "GET", path, token }, isRight);
    if (kind === "create") return this.#create(caller, { userId, token });
    if (kind === "list") {
      const isMine = (task: Body) => task.ownerId === userId && task.title === title && uuid.test(task.taskId);
      return get("/v1/tasks?pageSize=20", ({ tasks }) => tasks.length > 0 && tasks.every(isMine));
    }
    if (kind === "profile") return get("/v1/me", (me) => me.userId === userId);
    if (kind === "inbox") {
      const isMeant = (notification: Body) => typeof notification.notificationId === "string";
      return get("/v1/notifications?pageSize=20", ({ notifications = [] }) => notifications.every(isMeant));
    }
    if (kind === "keys") return get("/v1/apiKeys", ({ apiKeys = [] }) => apiKeys.length === 0);
    const taskId = this.#tasks[place];
    return get(`/v1/tasks/${taskId}`, (task) => task.taskId === taskId && task.title === title);
  }

  #create(caller: Caller, { userId, token }: SignedIn, made = (_taskId: string) => {}): Promise<string | undefined> {
    const call: Call = { method: "POST", path: "/v1/tasks", token, body: { title } };
    return ask(caller, call, (task) => {
      const isNew = uuid.test(task.taskId) && !this.created.has(task.taskId);
      this.created.add(task.taskId);
      made(task.taskId);
      return isNew && task.title === title && task.ownerId === userId && task.status === "STATUS_OPEN";
    });
  }
}

// biome-ignore lint/suspicious/noExplicitAny: the answers of six calls, each with its own shape
type Body = any;

async function ask(caller: Caller, call: Call, isRight: (body: Body) => boolean): Promise<string | undefined> {
  try {
    const { status, body } = await caller.call(call);
    if (status !== 200) return `${call.method} ${call.path.split("?")[0]?.replace(uuidWithin, "{id}")}: ${status}`;
    return isRight(JSON.parse(body)) ? undefined : `${call.method}: wrong body`;
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    return code ?? message;
  }
}

const uuidWithin = /[0-9a-f]{8}-[0-9a-f-]{27}/;
