import { randomBytes } from "node:crypto";
import { request } from "node:http";
import { create } from "@bufbuild/protobuf";
import { AuthService } from "#gen/auth/v1/auth_service_pb.js";
import { TaskService } from "#gen/task/v1/task_service_pb.js";
import { speakersTo } from "../contract/protocols.ts";

/** A text that exists nowhere else, in the place of what must not get about. */
export interface Canary {
  kind: string;
  text: string;
  /** Nobody may keep it in the clear, however well meant; other canaries are texts that belong to a person. */
  secret: boolean;
}

// biome-ignore lint/suspicious/noExplicitAny: answers of every shape
type Body = any;

/** What came back of the whole drive. */
export interface Driven {
  canaries: Canary[];
  /** Bodies of answers that were refusals. */
  refusals: string[];
}

/** Uses the product in every protocol with canaries in all places where people and programs put their own words. */
export class CanaryDrive {
  readonly #edge: string;
  readonly #canaries: Canary[] = [];
  readonly #refusals: string[] = [];

  constructor(edge: string) {
    this.#edge = edge;
  }

  async run(): Promise<Driven> {
    const password = this.#secret("password");
    const email = `${this.#own("mail address")}@example.com`;
    const names = { displayName: this.#own("display name") };
    const { accessToken, refreshToken } = await this.#ask("POST /v1/auth/register", {
      email,
      password,
      ...names,
    });
    this.#keepToken("access token", accessToken);
    this.#keep("refresh token", refreshToken);
    const token: string = accessToken;
    const friend = await this.#ask("POST /v1/auth/register", {
      email: `${this.#own("mail address")}@example.com`,
      password: this.#secret("password"),
      displayName: this.#own("display name"),
    });
    await this.#session(email, password, refreshToken);
    await this.#work(token, friend.user.userId);
    await this.#refused(token, email);
    await this.#inEveryProtocol(token);
    await this.#fromAfar();
    return { canaries: this.#canaries, refusals: this.#refusals };
  }

  async #session(email: string, password: string, refreshToken: string): Promise<void> {
    const renewed = await this.#ask("POST /v1/auth/refresh", { refreshToken });
    this.#keepToken("access token", renewed.accessToken);
    this.#keep("refresh token", renewed.refreshToken);
    const login = await this.#ask("POST /v1/auth/login", { email, password });
    this.#keep("refresh token", login.refreshToken);
    const name = this.#own("name of a key");
    const made = await this.#ask("POST /v1/apiKeys", { name, scopes: ["tasks:read"] }, login.accessToken);
    this.#keep("API key", made.key);
    await this.#ask("GET /v1/tasks", undefined, made.key);
    await this.#ask(`DELETE /v1/apiKeys/${made.apiKey.apiKeyId}`, undefined, login.accessToken);
    await this.#refuse("GET /v1/tasks", undefined, made.key);
    await this.#ask("POST /v1/auth/logout", {}, login.accessToken);
  }

  async #work(token: string, userId: string): Promise<void> {
    const label = await this.#ask("POST /v1/labels", { name: this.#own("label") }, token);
    const task = await this.#ask(
      "POST /v1/tasks",
      {
        title: this.#own("title"),
        description: this.#own("description"),
        labelIds: [label.labelId],
        assigneeIds: [userId],
      },
      token,
      { "idempotency-key": this.#own("idempotency key") },
    );
    const at = `/v1/tasks/${task.taskId}`;
    await this.#ask(`PATCH ${at}`, { title: this.#own("title") }, token);
    await this.#ask(`POST ${at}/comments`, { text: this.#own("comment") }, token);
    await this.#ask(`GET /v1/tasks?filter=${encodeURIComponent(`title = "${this.#own("filter")}"`)}`, undefined, token);
    const hook = {
      url: `https://hooks.invalid/${this.#own("webhook path")}`,
      displayName: this.#own("name of a webhook"),
    };
    const { webhook, secret } = await this.#ask("POST /v1/webhooks", hook, token);
    this.#keep("webhook secret", secret);
    await this.#ask(`POST /v1/webhooks/${webhook.webhookId}:test`, {}, token);
    await this.#ask("PATCH /v1/me", { displayName: this.#own("display name") }, token);
    const rows = `TYPE,CONTENT,DESCRIPTION,PRIORITY,INDENT\ntask,${this.#own("imported title")},${this.#own("description")},1,1\n`;
    const content = Buffer.from(rows).toString("base64");
    await this.#ask("POST /v1/tasks:import", { format: "FORMAT_TODOIST_CSV", content }, token);
    await this.#ask(`POST ${at}:complete`, {}, token);
    await this.#ask(`DELETE ${at}`, undefined, token);
  }

  async #refused(token: string, email: string): Promise<void> {
    await this.#refuse("POST /v1/auth/login", { email, password: this.#secret("wrong password") });
    await this.#refuse(
      "POST /v1/auth/register",
      { email, password: this.#secret("taken account's password"), displayName: this.#own("display name") },
      "",
      {},
      200,
    );
    await this.#refuse("POST /v1/auth/register", { email: this.#own("no mail address"), password: "x" });
    await this.#refuse("POST /v1/auth/refresh", { refreshToken: this.#secret("forged refresh token") });
    await this.#refuse("GET /v1/me", undefined, this.#secret("forged token"));
    await this.#refuse("GET /v1/me", undefined, `tmk_${this.#secret("forged key")}`);
    await this.#refuse(`GET /v1/users:lookup?email=${this.#own("looked up")}@example.org`, undefined, token);
    await this.#refuse(`GET /v1/${this.#own("unknown path")}`, undefined, token);
    await this.#refuse(`OPTIONS /${this.#own("unknown path")}/x`);
    await this.#refuse(`GET /v1/tasks/${this.#own("no id")}`, undefined, token);
    await this.#refuse(`POST /task.v1.TaskService/${this.#own("no RPC")}`, {}, token);
    await this.#refuse(`GET /v1/tasks?access_token=${this.#secret("token in a query")}`);
    await this.#refuse("POST /v1/tasks", `{"title": ${this.#own("broken JSON")}`, token);
    await this.#refuse("POST /v1/tasks", { title: "x".repeat(100_000) + this.#own("too long") }, token);
    await this.#refuse("POST /v1/tasks", { title: "x", dueTime: this.#own("no time") }, token);
    const headers = {
      "user-agent": this.#own("user agent"),
      referer: `http://${this.#own("referer")}.example/`,
      cookie: `session=${this.#secret("cookie")}`,
      "x-request-id": this.#own("request id"),
      "x-forwarded-for": "203.0.113.66",
      "x-mesh-identity": this.#secret("forged identity"),
      tracestate: `v=${this.#own("trace state")}`,
      baggage: `v=${this.#own("baggage")}`,
      "x-anything": this.#own("header"),
      "if-match": `"${this.#own("etag")}"`,
    };
    await this.#refuse("POST /v1/tasks", { title: "" }, token, headers);
    await this.#refuse("GET /v1/me", undefined, token, headers, 412);
  }

  /** In each protocol a task that is made, one that is refused, and a sign-in that fails. */
  async #inEveryProtocol(token: string): Promise<void> {
    const speakers = speakersTo(this.#edge);
    const style = { useProtoFieldName: false, alwaysEmitImplicit: false, enumAsInteger: false };
    const headers = { authorization: `Bearer ${token}` };
    try {
      for (const protocol of speakers.protocols) {
        const { createTask } = TaskService.method;
        for (const taskId of ["", this.#own("no id")]) {
          const message = create(createTask.input, { task: { taskId, title: this.#own("title") } });
          await protocol.send({ method: createTask, message, style, headers, lenient: false });
        }
        const { login } = AuthService.method;
        const email = `${this.#own("mail address")}@example.com`;
        const message = create(login.input, { email, password: this.#secret("wrong password") });
        const answer = await protocol.send({ method: login, message, style, headers: {}, lenient: false });
        this.#refusals.push(JSON.stringify(answer?.failure ?? ""));
      }
    } finally {
      speakers.close();
    }
  }

  /** From an address that nobody else here has. */
  async #fromAfar(): Promise<void> {
    const address = "127.66.77.88";
    this.#canaries.push({ kind: "address", text: address, secret: false });
    const { hostname, port } = new URL(this.#edge);
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const asked = request({ hostname, port, path: "/v1/me", localAddress: address }, (answer) =>
      answer.resume().on("end", resolve),
    );
    asked.on("error", reject).end();
    await promise;
  }

  async #ask(target: string, body?: unknown, token = "", headers: Record<string, string> = {}): Promise<Body> {
    const { status, text } = await this.#send(target, body, token, headers);
    if (status !== 200) throw new Error(`${target} answered ${status}: ${text}`);
    return JSON.parse(text);
  }

  async #refuse(target: string, body?: unknown, token = "", headers: Record<string, string> = {}, expected = 0) {
    const { status, text } = await this.#send(target, body, token, headers);
    if (expected === 0 ? status === 200 : status !== expected) throw new Error(`${target} answered ${status}`);
    if (status >= 400) this.#refusals.push(text);
  }

  async #send(target: string, body: unknown, token: string, headers: Record<string, string>) {
    const [method, path] = target.split(" ", 2) as [string, string];
    const response = await fetch(this.#edge + path, {
      method,
      headers: {
        ...(body === undefined ? {} : { "content-type": "application/json" }),
        ...(token && { authorization: `Bearer ${token}` }),
        ...headers,
      },
      ...(body === undefined ? {} : { body: typeof body === "string" ? body : JSON.stringify(body) }),
      signal: AbortSignal.timeout(15_000),
    });
    return { status: response.status, text: await response.text() };
  }

  #own(kind: string): string {
    return this.#add(kind, false);
  }

  #secret(kind: string): string {
    return this.#add(kind, true);
  }

  #add(kind: string, secret: boolean): string {
    const text = `canary${randomBytes(8).toString("hex")}`;
    this.#canaries.push({ kind, text, secret });
    return text;
  }

  /** A secret that the product itself has made. */
  #keep(kind: string, text: string): void {
    this.#canaries.push({ kind, text, secret: true });
  }

  /** Of a token it is the signature that makes it one. */
  #keepToken(kind: string, token: string): void {
    this.#keep(kind, token.split(".").at(-1) as string);
  }
}
