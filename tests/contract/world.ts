import { setTimeout as delay } from "node:timers/promises";
import type { DescMethod } from "@bufbuild/protobuf";
import { Access, RateClass } from "#gen/mesh/v1/options_pb.js";
import { policyOf } from "#kit/grpc/policy.ts";
import { openAccount } from "./accounts.ts";
import { differences } from "./compare.ts";
import type { Answer } from "./drive/answer.ts";
import type { Outgoing, Protocol } from "./drive/protocol.ts";
import { brokenFields, faultsOf } from "./expectation.ts";
import { type Case, isRead } from "./generate/case.ts";
import { Lane } from "./lane.ts";
import { decoded, outgoing, sayable } from "./outgoing.ts";
import { nameOf, type Speakers } from "./protocols.ts";
import type { Report } from "./report.ts";

const settleTries = 20;
const settleMs = 150;

/** One lane's part of a case: what it sends, and what came. */
interface Turn {
  lane: Lane;
  protocol: Protocol;
  call: Outgoing;
  answer: Answer;
}

export interface Stage {
  edge: string;
  speakers: Speakers;
  report: Report;
  /** The clients are older than the server: its rules may be others, and it may answer with more. */
  older: boolean;
}

/** People who make the same calls, each in another protocol. */
export class World {
  readonly #stage: Stage;
  readonly #number: number;
  #lanes: Lane[] = [];

  constructor(stage: Stage, number: number) {
    this.#stage = stage;
    this.#number = number;
  }

  /** Makes one call in every protocol and compares what comes. */
  async play(one: Case, index: number): Promise<void> {
    if (this.#lanes.length === 0) await this.#populate();
    const found = new Set<string>();
    try {
      const turns = await this.#send(one, this.#lanes, found);
      const settled = await this.#judge(one, turns, found);
      const isLast = endsSession(one.method);
      if (settled && one.again && !isLast && one.method.methodKind === "unary")
        await this.#sendAgain(one, settled, found);
      if (settled && isLast && settled.some(({ answer }) => !answer.failure)) this.#lanes = [];
    } catch (error) {
      found.add((error as Error).message);
    }
    if (found.size === 0) return;
    const place = { world: this.#number, index, method: nameOf(one.method), kind: one.kind };
    for (const what of found) this.#stage.report.findings.push({ ...place, what });
    // Their histories may differ from here on.
    this.#lanes = [];
  }

  async #populate(): Promise<void> {
    const { edge, speakers } = this.#stage;
    for (const protocol of speakers.protocols) {
      const own = await openAccount(edge, "own");
      this.#lanes.push(new Lane(protocol, own, await openAccount(edge, "friend", own.mark)));
    }
  }

  /** Every lane's call, side by side. A lane whose protocol cannot say it uses another, so that its history is the same. */
  async #send(one: Case, lanes: Lane[], found: Set<string>): Promise<Turn[]> {
    const turns = await each(isSlow(one.method), lanes, async (lane): Promise<Turn[]> => {
      const call = outgoing(one, lane, this.#stage.older);
      const way = sayable(one, lane.protocol, call);
      if (way === "no case of it") return [];
      for (const protocol of [lane.protocol, this.#stage.speakers.fallback]) {
        const answer = protocol === lane.protocol && way === "by another" ? undefined : await protocol.send(call);
        if (answer) return [{ lane, protocol, call, answer }];
        if (one.json) return [];
      }
      throw new Error(`${one.method.name} can be said in no protocol`);
    });
    this.#look(one, turns.flat(), found);
    return turns.flat();
  }

  /** What can be said of each answer by itself. */
  #look(one: Case, turns: Turn[], found: Set<string>): void {
    const method = nameOf(one.method);
    for (const { answer, protocol, call } of turns) {
      const late = this.#stage.report.add(answer, { protocol: protocol.name, method, kind: one.kind });
      if (this.#stage.report.isStarved(answer)) continue;
      const broken = one.json || call.bytes || this.#stage.older ? [] : brokenFields(one.method, call.message);
      const faults = faultsOf(answer, { broken, authenticated: one.token === "own" });
      if (one.json && !answer.failure) faults.push("took it as good");
      for (const fault of [...late, ...faults]) found.add(`${protocol.name}: ${fault}`);
    }
  }

  /** Answers with the turns when everybody's answer is the same. */
  async #judge(one: Case, given: Turn[], found: Set<string>): Promise<Turn[] | undefined> {
    if (given.some((turn) => this.#isBusy(turn)) || (one.wire && !saidTheSame(one, given))) {
      if (makesHistory(one.method) && given.some(({ answer }) => !answer.failure)) this.#lanes = [];
      return undefined;
    }
    let turns = given;
    for (let tries = 0; ; tries++) {
      const differing = this.#compare(one, turns);
      if (differing.length === 0) return turns;
      // What others do for a person in the background is there a little later for one than for another.
      const maySettle = isRead(one.method) && turns.every(({ answer }) => !answer.failure);
      if (!maySettle || tries === settleTries) {
        for (const difference of differing) found.add(difference);
        return undefined;
      }
      await delay(settleMs);
      turns = await this.#send(one, this.#lanes, found);
    }
  }

  /** Who has to come back later has no answer to compare. */
  #isBusy({ answer }: Turn): boolean {
    return answer.failure?.reason === "RATE_LIMITED" || this.#stage.report.isStarved(answer);
  }

  /** Where the answers differ. What they brought is remembered when they do not. */
  #compare(one: Case, turns: Turn[]): string[] {
    const normals = turns.map(({ lane, answer }) => lane.normal(one.method.output, answer));
    const told = turns.map(({ protocol }, at) => ({ name: protocol.name, form: normals[at]?.form ?? {} }));
    const differing = differences(told, one);
    // What only some have met has no name that all know.
    const isAll = turns.length === this.#lanes.length;
    const isSame = new Set(turns.map(({ answer }) => answer.message === undefined)).size === 1;
    if (differing.length === 0 && isAll && isSame) for (const { keep } of normals) keep();
    return differing;
  }

  /** The very same request once more. What a key has answered it answers again. */
  async #sendAgain(one: Case, first: Turn[], found: Set<string>): Promise<void> {
    const before = first.map(({ lane, answer }) => JSON.stringify(lane.normal(one.method.output, answer).form.message));
    const turns = await Promise.all(
      first.map(async (turn): Promise<Turn> => ({ ...turn, answer: (await turn.protocol.send(turn.call)) as Answer })),
    );
    this.#look(one, turns, found);
    const settled = await this.#judge(one, turns, found);
    if (one.key === undefined || settled === undefined) return;
    settled.forEach(({ lane, answer, protocol }, at) => {
      if (first[at]?.answer.failure) return;
      if (answer.metadata["idempotency-replayed"] !== "true")
        found.add(`${protocol.name}: done again, for all its key`);
      const now = JSON.stringify(lane.normal(one.method.output, answer).form.message);
      if (now !== before[at]) found.add(`${protocol.name}: the replayed answer is another: ${before[at]} · ${now}`);
    });
  }
}

/** Broken bytes may make structure of what is one person's own: then the messages are not the same any more. */
function saidTheSame({ method }: Case, turns: Turn[]): boolean {
  const forms = turns.map(({ lane, call }) => {
    const message = call.bytes && decoded(method, call.bytes);
    return JSON.stringify(
      message && lane.normal(method.input, { message, metadata: {}, faults: [], milliseconds: 0 }).form,
    );
  });
  return new Set(forms).size <= 1;
}

/** Checking a password is work by design; five at once would wait for each other. */
function isSlow(method: DescMethod): boolean {
  return policyOf(method)?.access === Access.PUBLIC && !isRead(method);
}

async function each<T, R>(oneByOne: boolean, items: readonly T[], work: (item: T) => Promise<R>): Promise<R[]> {
  if (!oneByOne) return Promise.all(items.map(work));
  const results: R[] = [];
  for (const item of items) results.push(await work(item));
  return results;
}

/** Whether the call may change what the caller's later ones are answered with. */
function makesHistory(method: DescMethod): boolean {
  return policyOf(method)?.access === Access.USER && !isRead(method);
}

/** Calls after which the caller's token may be good no longer, or not at once. */
function endsSession(method: DescMethod): boolean {
  const policy = policyOf(method);
  return policy?.access === Access.USER && policy.rateClass === RateClass.AUTH && !isRead(method);
}
