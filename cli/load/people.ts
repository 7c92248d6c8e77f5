import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { UserError } from "../user-error.ts";
import type { Answer, Call, HttpClient } from "./http.ts";

/** Somebody with an account, made for the load. */
export interface Person {
  readonly userId: string;
  token: string;
  refreshToken: string;
  /** When the token is to be renewed, by `performance.now()`. */
  renewAt: number;
}

interface Tokens {
  accessToken: string;
  refreshToken: string;
  expiresIn: string | number;
  user: { userId: string };
}

const side = 4;

/** Registers so many people through the public edge, as fast as its limits allow. */
export async function registerPeople(
  client: HttpClient,
  count: number,
  { progress, signal }: { progress: (line: string) => void; signal?: AbortSignal | undefined },
): Promise<Person[]> {
  const people: Person[] = [];
  let started = 0;
  let told = performance.now();
  const work = async () => {
    while (started < count && !signal?.aborted) {
      const index = ++started;
      people.push(personOf(await mustAnswer(client, () => registration(index))));
      if (performance.now() - told > 1000) {
        told = performance.now();
        progress(`${people.length} of ${count} accounts`);
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(side, count) }, work));
  return people;
}

/** Renews the tokens that are through two thirds of their life, one after the other. */
export async function renewTokens(client: HttpClient, people: readonly Person[]): Promise<void> {
  for (const person of people) {
    if (performance.now() < person.renewAt) continue;
    const body = { refreshToken: person.refreshToken };
    const call: Call = { method: "POST", path: "/v1/auth/refresh", body };
    Object.assign(person, personOf(await mustAnswer(client, () => call)));
  }
}

function personOf({ accessToken, refreshToken, expiresIn, user }: Tokens): Person {
  const life = Number.parseFloat(String(expiresIn)) * 1000;
  return { userId: user.userId, token: accessToken, refreshToken, renewAt: performance.now() + (life * 2) / 3 };
}

/** A new address each time: one whose answer was lost may be taken. */
function registration(index: number): Call {
  const body = { email: `load-${randomUUID()}@example.com`, password: randomUUID(), displayName: `Load ${index}` };
  return { method: "POST", path: "/v1/auth/register", body };
}

/** One call outside the measure: it waits where a limit says so, and for a service that is busy. */
async function mustAnswer(client: HttpClient, make: () => Call): Promise<Tokens> {
  for (let attempt = 1; ; attempt++) {
    const call = make();
    const answer: Answer = await client.call(call).catch((error: NodeJS.ErrnoException) => {
      throw new UserError(`${call.path} cannot be reached (${error.code ?? error.message}): is the mesh running?`);
    });
    if (answer.status === 200) return JSON.parse(answer.body) as Tokens;
    if (![429, 503, 504].includes(answer.status)) throw new UserError(`${call.path} answered ${answer.status}`);
    if (attempt === 20 || answer.retryAfter > 60) {
      if (answer.status !== 429) throw new UserError(`${call.path} answered ${answer.status}, time and again`);
      throw new UserError(
        "The limits let no more accounts in: start the mesh with RATE_LIMIT_SCALE=1000, or take fewer --users",
      );
    }
    await sleep(answer.retryAfter * 1000);
  }
}
