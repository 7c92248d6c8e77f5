import type { DescMethod, DescService, Message } from "@bufbuild/protobuf";
import { AuthService } from "#gen/auth/v1/auth_service_pb.js";
import { TaskService } from "#gen/task/v1/task_service_pb.js";
import { UserService } from "#gen/user/v1/user_service_pb.js";
import { meshTokenVerifier } from "#kit/auth/mesh-token-verifier.ts";
import { MeshChannel } from "#kit/grpc/client.ts";
import { startGrpcServer } from "#kit/grpc/server.ts";
import type { CallContext, ServiceEntry } from "#kit/grpc/service.ts";
import { Lifecycle } from "#kit/lifecycle.ts";
import * as gateway from "../../../gateway/config.ts";
import { createContext } from "../../../gateway/context.ts";
import { buildGateway, closeGateway } from "../../../gateway/server.ts";
import type { Pair } from "./pair.ts";

type Handle = (request: Message, call: CallContext) => Promise<object>;

/** Gateways before the real auth and user service and a task service that only notes who calls. */
export class KeyEdge {
  readonly #lifecycle: Lifecycle;
  readonly #address: string;
  readonly #pair: Pair;
  readonly #close: (() => Promise<void>)[] = [];
  /** The calls that have come to the mesh, as "ExchangeApiKey". */
  readonly arrivals: string[];

  private constructor(made: { lifecycle: Lifecycle; address: string; pair: Pair; arrivals: string[] }) {
    this.#lifecycle = made.lifecycle;
    this.#address = made.address;
    this.#pair = made.pair;
    this.arrivals = made.arrivals;
  }

  static async start(pair: Pair): Promise<KeyEdge> {
    const lifecycle = new Lifecycle();
    const [auth, user, identity] = await Promise.all([pair.auth(), pair.user(), pair.identity("task")]);
    const arrivals: string[] = [];
    const passOn = (client: object): ((method: DescMethod) => Handle) => {
      return (method) => (request, call) => {
        const send = (client as Record<string, (request: Message, options: object) => Promise<Message>>)[
          method.localName
        ];
        const key = call.header("idempotency-key");
        const headers = { "x-client-ip": "192.0.2.1", ...(key !== undefined && { "idempotency-key": key }) };
        const onHeader = (answered: Record<string, string>) => {
          const replayed = answered["idempotency-replayed"];
          if (replayed !== undefined) call.responseHeader("idempotency-replayed", replayed);
        };
        return send?.(request, { call, headers, onHeader }) as Promise<object>;
      };
    };
    const noted = async () => ({ tasks: [], task: { taskId: "t", title: "noted" } });
    const entry = (desc: DescService, handlerOf: (method: DescMethod) => Handle): ServiceEntry => ({
      desc,
      impl: Object.fromEntries(
        desc.methods.map((method) => [
          method.localName,
          (request: Message, call: CallContext) => {
            arrivals.push(method.name);
            return handlerOf(method)(request, call);
          },
        ]),
      ),
    });
    const channel = lifecycle.use("auth", new MeshChannel(pair.address("auth")), (open) => open.close());
    const tokens = meshTokenVerifier({ channel, identity, lifecycle });
    const relayed = await startGrpcServer({
      host: "127.0.0.1",
      port: 0,
      services: [entry(AuthService, passOn(auth)), entry(UserService, passOn(user)), entry(TaskService, () => noted)],
      identity,
      tokens,
      lifecycle,
    });
    return new KeyEdge({ lifecycle, address: `127.0.0.1:${relayed.port}`, pair, arrivals });
  }

  /** One more gateway; answers with its address for REST and Connect. */
  async gateway(): Promise<string> {
    return (await this.gatewayOfBoth()).http;
  }

  /** One more gateway; answers with both of its addresses. */
  async gatewayOfBoth(): Promise<{ http: string; grpc: string }> {
    const config = gateway.readConfig({
      MESH_ADDRESS: this.#address,
      ...this.#pair.env("auth"),
      RATE_LIMIT_PRESET: "off",
    });
    const mesh = { ...config.mesh, address: this.#address };
    const context = await createContext({ ...config, mesh }, this.#lifecycle, {
      services: [AuthService, UserService, TaskService],
      identity: await this.#pair.identity("gateway"),
    });
    const built = buildGateway(context);
    this.#close.push(() => closeGateway(built));
    const anywhere = { host: "127.0.0.1", port: 0 };
    return { http: await built.http.listen(anywhere), grpc: await built.grpc.listen(anywhere) };
  }

  async close(): Promise<void> {
    for (const close of this.#close) await close();
    await this.#lifecycle.stop();
  }
}
