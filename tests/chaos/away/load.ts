import { newId } from "#kit/id.ts";
import { type Answer, call, type Person } from "../../_util/person.ts";
import { until } from "../../_util/until.ts";

/** What became of one request of the load. */
export interface Sample {
  /** Milliseconds of the clock of `performance` when it was sent. */
  at: number;
  ms: number;
  write: boolean;
  /** 0: no answer at all. */
  status: number;
  /** Of a failure: its reason in the problem, and whether it says when to come back. */
  reason?: string;
  retryAfter?: boolean;
}

/** A task that was asked for with an Idempotency-Key; its id is the mesh's to choose. */
export interface Wish {
  key: string;
  title: string;
  /** Undefined: nobody knows whether it was made. */
  taskId: string | undefined;
}

const patienceMs = 10_000;

/** Requests at a steady rate, whatever becomes of those before: a fifth are writes. Until it is stopped. */
export class Load {
  readonly samples: Sample[] = [];
  readonly wishes: Wish[] = [];
  readonly #author: Person;
  readonly #assigneeIds: readonly string[];
  readonly #pending = new Set<Promise<void>>();
  readonly #timer: NodeJS.Timeout;
  readonly #rps: number;
  #sent = 0;
  #settledAt = 0;

  private constructor(author: Person, rps: number, assigneeIds: readonly string[]) {
    this.#author = author;
    this.#assigneeIds = assigneeIds;
    this.#rps = rps;
    const began = performance.now();
    this.#timer = setInterval(() => {
      const due = Math.floor(((performance.now() - began) / 1000) * rps);
      while (this.#sent < due) this.#send();
    }, 10);
  }

  /** Begins at once; each task is given to the assignees. */
  static begin(author: Person, { rps, assigneeIds = [] }: { rps: number; assigneeIds?: readonly string[] }): Load {
    return new Load(author, rps, assigneeIds);
  }

  /** Resolves once two seconds went well, and forgets what was before: a mesh that has just started is no fault's doing. */
  async settle(): Promise<void> {
    const goesWell = () => {
      const from = performance.now() - 2000;
      const last = this.samples.filter(({ at }) => at >= from);
      return last.length >= this.#rps && last.every(({ status }) => status === 200);
    };
    await until("the load to be answered", goesWell, { timeoutMs: 120_000 });
    this.#settledAt = performance.now();
    this.samples.length = 0;
  }

  /** Sends no more, and resolves when everything has been answered or given up. */
  async end(): Promise<void> {
    clearInterval(this.#timer);
    await Promise.all(this.#pending);
  }

  /** Asks for the task once more, with the same key. */
  async ask(wish: Wish): Promise<Answer> {
    const body = { title: wish.title, assigneeIds: this.#assigneeIds };
    const headers = { "idempotency-key": wish.key };
    const signal = AbortSignal.timeout(patienceMs);
    const answer = await this.#author.call("POST /v1/tasks", body, { headers, signal });
    if (answer.status === 200) wish.taskId = answer.body.taskId;
    return answer;
  }

  #send(): void {
    this.#sent += 1;
    const request = this.#sent % 5 === 0 ? this.#write() : this.#read();
    this.#pending.add(request);
    request.finally(() => this.#pending.delete(request));
  }

  #write(): Promise<void> {
    const key = newId();
    const wish: Wish = { key, title: `wish ${key}`, taskId: undefined };
    this.wishes.push(wish);
    return this.#measure(true, () => this.ask(wish));
  }

  #read(): Promise<void> {
    const known = this.wishes[Math.floor(Math.random() * this.wishes.length)]?.taskId;
    const target = known === undefined ? "GET /v1/tasks?pageSize=5" : `GET /v1/tasks/${known}`;
    const { edge, token } = this.#author;
    return this.#measure(false, () =>
      call(edge, target, undefined, { token, signal: AbortSignal.timeout(patienceMs) }),
    );
  }

  async #measure(write: boolean, ask: () => Promise<Answer>): Promise<void> {
    const at = performance.now();
    const answer = await ask().catch(() => undefined);
    const sample: Sample = { at, ms: performance.now() - at, write, status: answer?.status ?? 0 };
    if (sample.status >= 400) {
      sample.reason = answer?.body?.reason;
      sample.retryAfter = answer?.headers.has("retry-after") ?? false;
    }
    if (at >= this.#settledAt) this.samples.push(sample);
  }
}

/** How many of each status: `200×480 503×12`. */
export function statusesOf(samples: readonly Sample[]): string {
  const counts = Map.groupBy(samples, ({ status, reason }) =>
    reason === undefined ? `${status}` : `${status} ${reason}`,
  );
  return [...counts].map(([status, { length }]) => `${status}×${length}`).join(" ");
}

/** The time within which the share of the samples was answered, in whole milliseconds. */
export function quantileMs(samples: readonly Sample[], share: number): number {
  const times = samples.map(({ ms }) => ms).sort((a, b) => a - b);
  return Math.round(times[Math.min(times.length - 1, Math.floor(times.length * share))] ?? 0);
}
