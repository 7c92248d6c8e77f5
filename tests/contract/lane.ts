import { randomBytes } from "node:crypto";
import type { DescMessage, JsonValue } from "@bufbuild/protobuf";
import type { Answer } from "./drive/answer.ts";
import type { Protocol } from "./drive/protocol.ts";
import { laneMark, type Meanings } from "./generate/symbols.ts";
import { eachHanded, type Names, normalForm } from "./normal.ts";

export interface Account {
  email: string;
  password: string;
  userId: string;
  accessToken: string;
}

const kept = 8;
const uuid = /[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/gi;

/** An answer in a form that is the same for everybody whom the same happened to. */
export interface Normal {
  form: Record<string, JsonValue>;
  /** To be called once the answer is known to be everybody's: remembers the names that it brought. */
  keep(): void;
}

/**
 * One person who speaks one protocol. Everybody in a world makes the same calls, so that all have the same history;
 * what is only one's own has a name here that all have in common.
 */
export class Lane implements Meanings {
  readonly protocol: Protocol;
  readonly account: Account;
  readonly mark: string;
  readonly #pools = new Map<string, string[]>();
  readonly #symbols = new Map<string, string>();

  constructor(protocol: Protocol, account: Account & { mark: string }, friend: Account) {
    this.protocol = protocol;
    this.account = account;
    this.mark = account.mark;
    this.#pools.set("email", [account.email, friend.email]);
    this.#pools.set("user_id", [account.userId, friend.userId]);
    this.#pools.set("password", [account.password]);
    for (const value of [account.email, account.userId, friend.userId])
      this.#symbols.set(value, `#${this.#symbols.size}`);
  }

  static newMark(): string {
    return randomBytes(6).toString("hex");
  }

  meaning(pool: string, index: number): string {
    const values =
      this.#poolFor(pool) ?? (index % 2 === 0 && pool.endsWith("_id") ? this.#pools.get("user_id") : undefined);
    if (values) return values[index % values.length] as string;
    return `0000000${index}-0000-7000-8000-${this.mark}`;
  }

  normal(desc: DescMessage, { message, failure, metadata }: Answer): Normal {
    const fresh = new Map<string, string>();
    const names = this.#names(fresh);
    const form: Record<string, JsonValue> = { metadata };
    if (message) form.message = normalForm(desc, message, names);
    if (failure) {
      const told = Object.entries(failure.metadata).map(([name, value]) => [name, names.symbol(value)]);
      const violations = failure.violations.map(({ field, description }) => ({
        field,
        description: names.text(description),
      }));
      const text = failure.message === undefined ? undefined : names.text(failure.message);
      const { code, reason, retry } = failure;
      form.failure = {
        code,
        reason,
        retry,
        violations,
        metadata: Object.fromEntries(told),
        ...(text !== undefined && { message: text }),
      };
    }
    const keep = () => {
      for (const [value, symbol] of fresh) this.#symbols.set(value, symbol);
      if (message) eachHanded(desc, message, (name, value) => this.#learn(name, value));
    };
    return { form, keep };
  }

  #names(fresh: Map<string, string>): Names {
    const symbol = (said: string) => {
      // An address is the same in any case of its letters: one that a broken byte has only made larger is still found.
      const value = said.includes("@") ? said.toLowerCase() : said;
      const known = this.#symbols.get(value) ?? fresh.get(value);
      if (known) return known;
      const name = `#${this.#symbols.size + fresh.size}`;
      fresh.set(value, name);
      return name;
    };
    // Ids that the calls themselves brought are known by the mark; the others by the order in which they came.
    const idOrMark = (id: string) => (id.includes(this.mark) ? id.replace(this.mark, laneMark) : symbol(id));
    return {
      symbol: (value) =>
        value.includes(this.mark) && !this.#symbols.has(value) ? value.replaceAll(this.mark, laneMark) : symbol(value),
      text: (value) => value.replaceAll(uuid, idOrMark).replaceAll(this.mark, laneMark),
    };
  }

  #learn(name: string, value: string): void {
    const values = this.#pools.get(name) ?? [];
    if (values.includes(value)) return;
    this.#pools.set(name, [...values, value].slice(-kept));
  }

  /** A parent_task_id is a task_id, and a page_token comes as next_page_token. */
  #poolFor(name: string): string[] | undefined {
    const exact = this.#pools.get(name);
    if (exact) return exact;
    const related = [...this.#pools].filter(([known]) => known.endsWith(`_${name}`) || name.endsWith(`_${known}`));
    return related.sort(([a], [b]) => b.length - a.length)[0]?.[1];
  }
}
