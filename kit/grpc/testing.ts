import type { IncomingHttpHeaders } from "node:http2";
import {
  create,
  createFileRegistry,
  type DescMethod,
  type DescService,
  type MessageInitShape,
  setExtension,
} from "@bufbuild/protobuf";
import type { GenService } from "@bufbuild/protobuf/codegenv2";
import {
  durationFromMs,
  FileDescriptorProtoSchema,
  file_google_protobuf_wrappers,
  MethodOptions_IdempotencyLevel,
  MethodOptionsSchema,
  type StringValueSchema,
} from "@bufbuild/protobuf/wkt";
import { credentials, Client as GrpcClient, Metadata, type StatusObject } from "@grpc/grpc-js";
import { Access, file_mesh_v1_options, PolicySchema, policy, RateClass } from "#gen/mesh/v1/options_pb.js";
import type { Identity } from "../auth/identity.ts";
import { type TestIssuer, testIdentities, testIssuer } from "../auth/testing.ts";
import { Lifecycle } from "../lifecycle.ts";
import type { CallEnd } from "./call-end.ts";
import { type Client, createClient, MeshChannel } from "./client.ts";
import { methodDefinition } from "./definition.ts";
import { type GrpcServer, type GrpcServerOptions, startGrpcServer } from "./server.ts";
import type { ServiceEntry, ServiceImpl, Unary } from "./service.ts";

type Rule = MessageInitShape<typeof PolicySchema>;
type UnaryText = { methodKind: "unary"; input: typeof StringValueSchema; output: typeof StringValueSchema };
type StreamText = { methodKind: "server_streaming"; input: typeof StringValueSchema; output: typeof StringValueSchema };

/** A service of texts with one method for each kind of policy. */
export const TestService = describeService() as unknown as GenService<{
  echo: UnaryText;
  brief: UnaryText;
  open: UnaryText;
  forTask: UnaryText;
  forServices: UnaryText;
  withoutPolicy: UnaryText;
  urgent: UnaryText;
  read: UnaryText;
  batch: UnaryText;
  watch: StreamText;
}>;

export type Names = "gateway" | "task" | "user";

/** A server and a way to call it, over a real socket. */
export interface TestMesh {
  server: GrpcServer;
  lifecycle: Lifecycle;
  identities: Record<Names, Identity>;
  issuer: TestIssuer;
  channel: MeshChannel;
  /** A client that speaks as a service; the gateway unless told otherwise. */
  client<S extends DescService>(desc: S, as?: Names): Client<S>;
  close(): Promise<void>;
}

export async function startTestMesh(
  services: ServiceEntry[],
  options: Partial<Pick<GrpcServerOptions, "port" | "interceptors" | "connectionAge" | "overload">> = {},
): Promise<TestMesh> {
  const identities = testIdentities<Names>(["gateway", "task", "user"]);
  const issuer = testIssuer();
  const lifecycle = new Lifecycle();
  const server = await startGrpcServer({
    host: "127.0.0.1",
    port: options.port ?? 0,
    services,
    identity: identities.task,
    tokens: issuer.verifier(),
    lifecycle,
    interceptors: options.interceptors,
    connectionAge: options.connectionAge,
    overload: options.overload,
  });
  const channel = new MeshChannel(`127.0.0.1:${server.port}`);
  return {
    server,
    lifecycle,
    identities,
    issuer,
    channel,
    client: (desc, as = "gateway") => createClient(desc, channel, { identity: identities[as] }),
    close: async () => {
      channel.close();
      await lifecycle.stop();
    },
  };
}

interface Kind {
  serverStreaming?: boolean;
  idempotency?: MethodOptions_IdempotencyLevel;
}

function describeService(): DescService {
  const unknown = MethodOptions_IdempotencyLevel.IDEMPOTENCY_UNKNOWN;
  const method = (name: string, rule?: Rule, { serverStreaming = false, idempotency = unknown }: Kind = {}) => ({
    name,
    inputType: ".google.protobuf.StringValue",
    outputType: ".google.protobuf.StringValue",
    serverStreaming,
    options: rule && withPolicy(rule, idempotency),
  });
  const file = create(FileDescriptorProtoSchema, {
    name: "mesh/test/v1/test_service.proto",
    package: "mesh.test.v1",
    syntax: "proto3",
    dependency: ["google/protobuf/wrappers.proto", "mesh/v1/options.proto"],
    service: [
      {
        name: "TestService",
        method: [
          method("Echo", { access: Access.USER }),
          method("Brief", { access: Access.USER, timeout: durationFromMs(150) }),
          method("Open", { access: Access.PUBLIC }),
          method("ForTask", { access: Access.INTERNAL, callers: ["task"] }),
          method("ForServices", { access: Access.INTERNAL }),
          method("WithoutPolicy"),
          method("Urgent", { access: Access.PUBLIC, rateClass: RateClass.URGENT }),
          method("Read", { access: Access.PUBLIC }, { idempotency: MethodOptions_IdempotencyLevel.NO_SIDE_EFFECTS }),
          method("Batch", { access: Access.PUBLIC, cost: 20 }),
          method("Watch", { access: Access.USER }, { serverStreaming: true }),
        ],
      },
    ],
  });
  const known = [file_google_protobuf_wrappers, file_mesh_v1_options];
  const registry = createFileRegistry(file, (name) => known.find(({ proto }) => proto.name === name));
  return registry.getService("mesh.test.v1.TestService") as DescService;
}

function withPolicy(rule: Rule, idempotencyLevel: MethodOptions_IdempotencyLevel) {
  const options = create(MethodOptionsSchema, { idempotencyLevel });
  setExtension(options, policy, create(PolicySchema, rule));
  return options;
}

/** Handlers of the test service: the given ones, and an echo for the others. */
export function testImpl(given: Partial<ServiceImpl<typeof TestService>>): ServiceImpl<typeof TestService> {
  const echo: Unary<typeof TestService.method.echo> = async ({ value }) => ({ value });
  return {
    echo,
    brief: echo,
    open: echo,
    forTask: echo,
    forServices: echo,
    withoutPolicy: echo,
    urgent: echo,
    read: echo,
    batch: echo,
    watch: async function* ({ value }) {
      yield { value };
    },
    ...given,
  };
}

/** The header of a user's call. */
export function bearer({ issuer }: TestMesh, claims?: Record<string, unknown>): Record<string, string> {
  return { authorization: `Bearer ${issuer.token(claims)}` };
}

/** How a call by grpc-js ended, as our own client would know it. */
export function endOf({ code, details, metadata }: StatusObject): CallEnd {
  return { code, details, trailers: metadata.toHttp2Headers() as IncomingHttpHeaders };
}

/** A call by grpc-js alone, the way a stranger would make it. Answers with the status, as metadata and text. */
export function strangersCall(
  port: number,
  method: DescMethod,
  options: { headers?: Record<string, string>; bytes?: Buffer } = {},
): Promise<StatusObject> {
  const client = new GrpcClient(`127.0.0.1:${port}`, credentials.createInsecure());
  const metadata = new Metadata();
  for (const [name, value] of Object.entries(options.headers ?? {})) metadata.set(name, value);
  const { promise, resolve } = Promise.withResolvers<StatusObject>();
  const same = (bytes: Buffer) => bytes;
  client
    .makeUnaryRequest(methodDefinition(method).path, same, same, options.bytes ?? Buffer.alloc(0), metadata, () => {})
    .on("status", resolve);
  return promise.finally(() => client.close());
}
