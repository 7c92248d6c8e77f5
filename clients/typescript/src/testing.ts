import { once } from "node:events";
import { createServer, type IncomingHttpHeaders } from "node:http";
import type { AddressInfo } from "node:net";
import type { Message } from "@bufbuild/protobuf";
import { create, createFileRegistry, type DescService, setExtension } from "@bufbuild/protobuf";
import type { GenMessage, GenService } from "@bufbuild/protobuf/codegenv2";
import {
  durationFromMs,
  FieldDescriptorProto_Type as FieldType,
  FileDescriptorProtoSchema,
  MethodOptions_IdempotencyLevel as Level,
  MethodOptionsSchema,
} from "@bufbuild/protobuf/wkt";
import { Code, ConnectError, type ConnectRouter } from "@connectrpc/connect";
import { connectNodeAdapter } from "@connectrpc/connect-node";
import { ErrorInfoSchema, RetryInfoSchema } from "../../../proto/gen/google/rpc/error_details_pb.js";
import { Access, file_mesh_v1_options, PolicySchema, policy } from "../../../proto/gen/mesh/v1/options_pb.js";

/** A call as it came to the server. */
export interface Arrival {
  path: string;
  headers: IncomingHttpHeaders;
}

export interface TestServer {
  url: string;
  arrivals: Arrival[];
  /** Cuts every connection, as a server that is killed does. */
  cut(): void;
  close(): Promise<void>;
}

/** A server of Connect that does what the routes say. */
export async function startServer(routes: (router: ConnectRouter) => void): Promise<TestServer> {
  const arrivals: Arrival[] = [];
  const handle = connectNodeAdapter({ routes });
  const server = createServer((request, response) => {
    arrivals.push({ path: request.url ?? "", headers: request.headers });
    handle(request, response);
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    arrivals,
    cut: () => server.closeAllConnections(),
    close: async () => {
      const closed = once(server, "close");
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}

/** An error as the mesh answers it. */
export function failure(code: Code, reason: string, retryAfterMs?: number): ConnectError {
  const error = new ConnectError(reason.toLowerCase(), code);
  error.details.push({ desc: ErrorInfoSchema, value: { domain: "taskmesh", reason } });
  if (retryAfterMs !== undefined) {
    error.details.push({ desc: RetryInfoSchema, value: { retryDelay: durationFromMs(retryAfterMs) } });
  }
  return error;
}

type Line = Message<"mesh.test.v1.Line"> & { cursor: string; text: string };
type Word = Message<"mesh.test.v1.Word"> & { text: string };
type Streaming<M extends Message> = { methodKind: "server_streaming"; input: GenMessage<M>; output: GenMessage<M> };

/** Streams with a cursor and without one, for signed-in people, and one that may not be asked for twice. */
export const WatchService = describeService() as unknown as GenService<{
  watch: Streaming<Line>;
  listen: Streaming<Word>;
  draw: Streaming<Word>;
}>;

function describeService(): DescService {
  const text = (name: string, number: number) => ({ name, number, type: FieldType.STRING, jsonName: name });
  const method = (name: string, type: string, idempotencyLevel: Level) => {
    const options = create(MethodOptionsSchema, { idempotencyLevel });
    setExtension(options, policy, create(PolicySchema, { access: Access.USER }));
    return { name, inputType: type, outputType: type, serverStreaming: true, options };
  };
  const file = create(FileDescriptorProtoSchema, {
    name: "mesh/test/v1/watch_service.proto",
    package: "mesh.test.v1",
    syntax: "proto3",
    dependency: ["mesh/v1/options.proto"],
    messageType: [
      { name: "Line", field: [text("cursor", 1), text("text", 2)] },
      { name: "Word", field: [text("text", 1)] },
    ],
    service: [
      {
        name: "WatchService",
        method: [
          method("Watch", ".mesh.test.v1.Line", Level.NO_SIDE_EFFECTS),
          method("Listen", ".mesh.test.v1.Word", Level.NO_SIDE_EFFECTS),
          method("Draw", ".mesh.test.v1.Word", Level.IDEMPOTENCY_UNKNOWN),
        ],
      },
    ],
  });
  const registry = createFileRegistry(file, (name) => [file_mesh_v1_options].find(({ proto }) => proto.name === name));
  return registry.getService("mesh.test.v1.WatchService") as DescService;
}

/** Tokens that a test can tell apart. */
export function tokens(generation: number, expiresIn = 900) {
  return { accessToken: `access-${generation}`, refreshToken: `refresh-${generation}`, expiresIn };
}

/** Refuses a call whose access token is none of those given. */
export function demandToken(headers: Headers, ...good: string[]): void {
  const token = headers.get("authorization")?.replace("Bearer ", "");
  if (token === undefined || !good.includes(token)) throw failure(Code.Unauthenticated, "TOKEN_EXPIRED");
}
