import { randomUUID } from "node:crypto";

/** An answer of the edge: its status, its decoded JSON and its headers. */
export interface Answer {
  status: number;
  // biome-ignore lint/suspicious/noExplicitAny: a test looks into answers of every shape
  body: any;
  headers: Headers;
}

export interface CallOptions {
  token?: string;
  headers?: Record<string, string>;
  signal?: AbortSignal;
}

/** One REST call through the public edge. */
export async function call(edge: string, target: string, body?: unknown, options: CallOptions = {}): Promise<Answer> {
  const [method = "GET", path = "/"] = target.split(" ");
  const response = await fetch(edge + path, {
    method,
    headers: {
      ...(body === undefined ? {} : { "content-type": "application/json" }),
      ...(options.token ? { authorization: `Bearer ${options.token}` } : {}),
      ...options.headers,
    },
    body: body === undefined ? undefined : typeof body === "string" ? body : JSON.stringify(body),
    signal: options.signal ?? AbortSignal.timeout(15_000),
  });
  const text = await response.text();
  const json = response.headers.get("content-type")?.includes("json");
  return { status: response.status, body: json && text !== "" ? JSON.parse(text) : text, headers: response.headers };
}

/** Somebody with an account, who calls the edge as a user does. */
export class Person {
  readonly edge: string;
  readonly email: string;
  readonly userId: string;
  readonly token: string;

  private constructor(edge: string, email: string, registered: { accessToken: string; user: { userId: string } }) {
    this.edge = edge;
    this.email = email;
    this.userId = registered.user.userId;
    this.token = registered.accessToken;
  }

  /** Registers under an address that nobody had before. */
  static async register(edge: string, displayName: string): Promise<Person> {
    const email = `${displayName.toLowerCase()}.${randomUUID().slice(0, 8)}@example.com`;
    const password = randomUUID();
    const { status, body } = await call(edge, "POST /v1/auth/register", { email, password, displayName });
    if (status !== 200) throw new Error(`register answered ${status}: ${JSON.stringify(body)}`);
    return new Person(edge, email, body);
  }

  /** One call with this person's token; answers with whatever came. */
  call(target: string, body?: unknown, options: CallOptions = {}): Promise<Answer> {
    return call(this.edge, target, body, { token: this.token, ...options });
  }

  /** One call that must succeed; answers with the body. */
  // biome-ignore lint/suspicious/noExplicitAny: a test looks into answers of every shape
  async ask(target: string, body?: unknown, options: CallOptions = {}): Promise<any> {
    const answer = await this.call(target, body, options);
    if (answer.status !== 200) throw new Error(`${target} answered ${answer.status}: ${JSON.stringify(answer.body)}`);
    return answer.body;
  }
}
