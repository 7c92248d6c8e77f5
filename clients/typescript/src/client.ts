import { type Client, Code, ConnectError, createClient, type Interceptor, type Transport } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-web";
import { AuthService } from "#gen/auth/v1/auth_service_pb.js";
import { NotificationService } from "#gen/notification/v1/notification_service_pb.js";
import { TaskService } from "#gen/task/v1/task_service_pb.js";
import { UserService } from "#gen/user/v1/user_service_pb.js";
import { retry } from "./retry.ts";
import { Session, type Tokens } from "./session.ts";

export interface TaskmeshOptions {
  /** Where the edge is: "http://127.0.0.1:8080". */
  baseUrl: string;
  /** Tokens that were kept from an earlier run. */
  tokens?: Tokens;
  /** Told about new tokens, to keep them, and about undefined when the person is signed out. */
  onTokens?: (tokens: Tokens | undefined) => void;
}

/**
 * A client of the mesh for Node and the browser. Calls are typed by the proto files and throw ConnectError.
 * Who registers or signs in through it stays signed in: tokens are sent and refreshed by themselves.
 */
export class Taskmesh {
  readonly auth: Client<typeof AuthService>;
  readonly users: Client<typeof UserService>;
  readonly tasks: Client<typeof TaskService>;
  readonly notifications: Client<typeof NotificationService>;
  readonly #session: Session;

  constructor({ baseUrl, tokens, onTokens }: TaskmeshOptions) {
    const anonymous = createConnectTransport({ baseUrl, interceptors: [retry] });
    const refresher = createClient(AuthService, anonymous);
    this.#session = new Session((refreshToken) => refresher.refreshToken({ refreshToken }), onTokens ?? (() => {}));
    if (tokens !== undefined) this.#session.set(tokens);
    const transport = createConnectTransport({ baseUrl, interceptors: [this.#authenticate, retry] });
    this.auth = this.#signingIn(transport);
    this.users = createClient(UserService, transport);
    this.tasks = createClient(TaskService, transport);
    this.notifications = createClient(NotificationService, transport);
  }

  /** The tokens in use; undefined when nobody is signed in. */
  get tokens(): Tokens | undefined {
    return this.#session.tokens;
  }

  #signingIn(transport: Transport): Client<typeof AuthService> {
    const client = createClient(AuthService, transport);
    const keep = <T extends Tokens>(answer: T): T => {
      this.#session.set(answer);
      return answer;
    };
    return {
      ...client,
      register: async (request, options) => keep(await client.register(request, options)),
      login: async (request, options) => keep(await client.login(request, options)),
      refreshToken: async (request, options) => keep(await client.refreshToken(request, options)),
      logout: async (request, options) => {
        const answer = await client.logout(request, options);
        this.#session.set(undefined);
        return answer;
      },
    };
  }

  readonly #authenticate: Interceptor = (next) => async (request) => {
    const token = await this.#session.accessToken();
    if (token === undefined) return await next(request);
    request.header.set("authorization", `Bearer ${token}`);
    try {
      return await next(request);
    } catch (error) {
      const refused = ConnectError.from(error).code === Code.Unauthenticated && !request.stream;
      if (!refused || request.service.typeName === AuthService.typeName) throw error;
      await this.#session.refresh(token);
      const fresh = this.#session.tokens?.accessToken;
      if (fresh === undefined || fresh === token) throw error;
      request.header.set("authorization", `Bearer ${fresh}`);
      return await next(request);
    }
  };
}
