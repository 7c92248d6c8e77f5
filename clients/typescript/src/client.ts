import type { DescMethod, DescService } from "@bufbuild/protobuf";
import { type Client, Code, ConnectError, createClient, type Interceptor } from "@connectrpc/connect";
import { AuthService } from "../../../proto/gen/auth/v1/auth_service_pb.js";
import { NotificationService } from "../../../proto/gen/notification/v1/notification_service_pb.js";
import { TaskService } from "../../../proto/gen/task/v1/task_service_pb.js";
import { UserService } from "../../../proto/gen/user/v1/user_service_pb.js";
import { authenticating } from "./authenticate.ts";
import { isRepeatable, type RetryOptions, retrying, takesKey } from "./retry.ts";
import { Session, type Tokens } from "./session.ts";
import { withLastingStreams } from "./stream.ts";
import { transportTo } from "./transport.ts";

export interface TaskmeshOptions {
  /** Where the edge is: "http://127.0.0.1:8080". */
  baseUrl: string;
  /** Tokens that were kept from an earlier run. */
  tokens?: Tokens;
  /** For a program: an API key ("tmk_…"), in the place of a person's session. */
  apiKey?: string;
  /** Told about new tokens, to keep them, and about undefined when the person is signed out. */
  onTokens?: (tokens: Tokens | undefined) => void;
  /**
   * For tokens that are shared, by the tabs of a browser for example: asked for what is kept before a refresh token is
   * traded, since one that another tab has traded already must not be used again.
   */
  readTokens?: () => Tokens | undefined;
  /** How long a call may take with all its attempts, in milliseconds, unless the call says so. By default 30 seconds. */
  timeoutMs?: number;
  /** How often a call is made in all while the mesh is away or busy. By default 4; 1 turns repeating off. */
  attempts?: number;
  /** A call that is told to come back later than this fails at once, in milliseconds. By default 30 seconds. */
  maxWaitMs?: number;
  /**
   * Repeats writes as well: they carry an Idempotency-Key, the same for every attempt, and the mesh does them once. By
   * default true; false repeats only what the proto files call safe to do twice.
   */
  idempotentWrites?: boolean;
  /** Further interceptors of Connect, closest to the network. */
  interceptors?: Interceptor[];
  /** In the place of the global fetch. */
  fetch?: typeof globalThis.fetch;
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

  constructor(options: TaskmeshOptions) {
    const { baseUrl, timeoutMs = 30_000, fetch = (...args) => globalThis.fetch(...args) } = options;
    const { attempts = 4, maxWaitMs = 30_000, idempotentWrites = true, interceptors = [] } = options;
    const isSafe = (method: DescMethod) => isRepeatable(method) || (idempotentWrites && takesKey(method));
    const retry: RetryOptions = { attempts, maxWaitMs, isSafe };
    const connection = { baseUrl, timeoutMs, fetch };
    // A refresh token that is sent again at once gets the same answer, so that a lost answer signs nobody out.
    const persistent = retrying({ ...retry, isSafe: () => true });
    const refresher = createClient(AuthService, transportTo(connection, [persistent, ...interceptors]));
    const refresh = (refreshToken: string) => refresher.refreshToken({ refreshToken });
    this.#session = new Session(
      { refresh, onTokens: options.onTokens, readTokens: options.readTokens },
      options.tokens,
    );
    const session = this.#session;
    const transport = transportTo(connection, [
      authenticating(session, options.apiKey),
      retrying(retry),
      ...interceptors,
    ]);
    const clientOf = <S extends DescService>(service: S) =>
      withLastingStreams(service, createClient(service, transport), { session, retry });
    this.auth = signingIn(clientOf(AuthService), session);
    this.users = clientOf(UserService);
    this.tasks = clientOf(TaskService);
    this.notifications = clientOf(NotificationService);
  }

  /** The tokens in use; undefined when nobody is signed in. */
  get tokens(): Tokens | undefined {
    return this.#session.tokens;
  }
}

/** The same client, whose answers sign the session in and out. */
function signingIn(client: Client<typeof AuthService>, session: Session): Client<typeof AuthService> {
  const keep = <T extends Tokens>(answer: T): T => {
    session.set(answer);
    return answer;
  };
  return {
    ...client,
    register: async (request, options) => keep(await client.register(request, options)),
    login: async (request, options) => keep(await client.login(request, options)),
    refreshToken: async (request, options) => keep(await client.refreshToken(request, options)),
    logout: async (request, options) => {
      try {
        const answer = await client.logout(request, options);
        session.set(undefined);
        return answer;
      } catch (error) {
        // A session that the mesh does not know any more is over as well.
        if (ConnectError.from(error).code === Code.Unauthenticated) session.set(undefined);
        throw error;
      }
    },
  };
}
