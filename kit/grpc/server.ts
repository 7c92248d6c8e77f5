import { setImmediate } from "node:timers/promises";
import type { DescMethodServerStreaming, DescMethodUnary, DescService } from "@bufbuild/protobuf";
import { logVerbosity, Server, ServerCredentials, setLogVerbosity, type UntypedHandleCall } from "@grpc/grpc-js";
import { ServerReflection } from "#gen/grpc/reflection/v1/reflection_pb.js";
import type { Identity } from "../auth/identity.ts";
import type { TokenVerifier } from "../auth/tokens.ts";
import { unavailable } from "../errors.ts";
import type { Readiness } from "../health/readiness.ts";
import type { Lifecycle } from "../lifecycle.ts";
import { listenFault } from "../listen-fault.ts";
import type { ConcurrencyLimitOptions } from "../overload/concurrency-limit.ts";
import { LoadShed } from "../overload/load-shed.ts";
import { serviceDefinition } from "./definition.ts";
import { type OpenCalls, streamHandler, unaryHandler } from "./handler.ts";
import { HealthService } from "./health.ts";
import { deadline } from "./interceptors/deadline.ts";
import { errors } from "./interceptors/errors.ts";
import { serverInterceptors } from "./interceptors/index.ts";
import type { ServerInterceptor } from "./interceptors/interceptor.ts";
import { ReflectionIndex, reflectionHandler } from "./reflection.ts";
import { moveStreamsInTime, sessionsOf } from "./server-sessions.ts";
import type { ServerStreaming, ServiceEntry, ServiceImpl, Unary } from "./service.ts";
import { prepareValidation } from "./validation.ts";

const flushMs = 1_000;
const seconds = 1_000;
const minutes = 60_000;

const serverOptions = {
  "grpc.max_receive_message_length": 1024 * 1024,
  "grpc.max_concurrent_streams": 1_000,
  "grpc.keepalive_time_ms": 30 * seconds,
  "grpc.keepalive_timeout_ms": 10 * seconds,
  // grpc-node#2080: channelz keeps what it has counted.
  "grpc.enable_channelz": 0,
};

/** Connections end now and then, so that callers find instances that came later. */
const standardAge = { maxMs: 5 * minutes, graceMs: 30 * seconds };

export interface GrpcServerOptions {
  host: string;
  /** 0 for any free port. */
  port: number;
  services: ServiceEntry[];
  identity: Identity;
  tokens: TokenVerifier;
  lifecycle: Lifecycle;
  /** What the health service tells of the parts that the process works with. */
  readiness?: Readiness;
  /** How old a connection gets, and how long its calls may then go on, in milliseconds; 5 min and 30 s unless given. */
  connectionAge?: { maxMs: number; graceMs: number };
  /** Bounds the calls under way, by priority; health is none of them. All are taken unless given. */
  overload?: ConcurrencyLimitOptions | undefined;
  /** Changes the standard chain: a service adds links of its own, a test takes some out. */
  interceptors?: (standard: ServerInterceptor[]) => ServerInterceptor[];
}

export interface GrpcServer {
  readonly port: number;
  /** What the health service answers: on from the start, off once the server drains. */
  setServing(on: boolean): void;
}

/** A service with all of its handlers. */
export function service<S extends DescService>(desc: S, impl: ServiceImpl<S>): ServiceEntry {
  return { desc, impl };
}

/**
 * Serves gRPC, with the standard health and reflection services beside the given ones.
 * When the process stops: answers NOT_SERVING until load balancers have heard it, then takes no new calls, ends streams,
 * finishes the calls under way within the drain time, answers UNAVAILABLE to the others and cuts what is still connected.
 */
export async function startGrpcServer(options: GrpcServerOptions): Promise<GrpcServer> {
  // grpc-js would print headers that it cannot parse, tokens among them.
  setLogVerbosity(logVerbosity.NONE);
  const { lifecycle, connectionAge = standardAge } = options;
  const server = new Server({
    ...serverOptions,
    "grpc.max_connection_age_ms": connectionAge.maxMs,
    "grpc.max_connection_age_grace_ms": connectionAge.graceMs,
  });
  allowManyCancelled(server);
  const open: OpenCalls = { unary: new Set(), streams: new Set(), leaving: false };
  const load = options.overload && new LoadShed(options.overload, lifecycle);
  const standard = serverInterceptors({ ...options, load });
  const chain = options.interceptors?.(standard) ?? standard;
  const health = new HealthService(
    options.services.map(({ desc }) => desc.typeName),
    options.readiness,
  );

  for (const entry of options.services) {
    for (const { input } of entry.desc.methods) prepareValidation(input);
    addService(server, entry, chain, open);
  }
  addService(server, health.entry, [errors(), deadline], open);
  addReflection(server, [...options.services.map(({ desc }) => desc), health.entry.desc], open);

  const port = await bind(server, options.host, options.port);
  const sessions = sessionsOf(server);
  lifecycle.use("grpc streams", moveStreamsInTime(sessions, open, connectionAge.graceMs), (end) => end());
  health.setServing(true);
  lifecycle.onDrain("grpc server", async () => {
    open.leaving = true;
    health.setServing(false);
    // Those who watch our health hear of it before their stream ends.
    await setImmediate();
    await lifecycle.untilHeard(() => sessions().length === 0);
    await drain(server, open, lifecycle.drainMs);
    for (const session of sessions()) session.destroy();
  });
  return { port, setServing: (on) => health.setServing(on) };
}

/**
 * Node ends a connection after 1,000 streams that were reset, or 33 a second for long. One from Envoy carries everybody's
 * calls, and Envoy bounds what each client may reset. grpc-js makes the HTTP/2 server and has no option for this.
 */
function allowManyCancelled(server: Server): void {
  const { commonServerOptions } = server as unknown as { commonServerOptions: object };
  Object.assign(commonServerOptions, { streamResetBurst: 50_000, streamResetRate: 10_000 });
}

function addService(
  server: Server,
  { desc, impl }: ServiceEntry,
  chain: readonly ServerInterceptor[],
  open: OpenCalls,
): void {
  const handlers = desc.methods.map((method): [string, UntypedHandleCall] => {
    const handler = impl[method.localName];
    if (method.methodKind === "unary") {
      return [method.localName, unaryHandler(method, handler as Unary<DescMethodUnary>, chain, open)];
    }
    if (method.methodKind === "server_streaming") {
      const stream = handler as ServerStreaming<DescMethodServerStreaming>;
      return [method.localName, streamHandler(method, stream, chain, open)];
    }
    throw new Error(`${method.toString()}: streams from the client are not supported`);
  });
  server.addService(serviceDefinition(desc), Object.fromEntries(handlers));
}

function addReflection(server: Server, services: DescService[], open: OpenCalls): void {
  const index = new ReflectionIndex([...services, ServerReflection]);
  server.addService(serviceDefinition(ServerReflection), { serverReflectionInfo: reflectionHandler(index, open) });
}

function bind(server: Server, host: string, port: number): Promise<number> {
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  const address = `${host.includes(":") ? `[${host}]` : host}:${port}`;
  server.bindAsync(address, ServerCredentials.createInsecure(), (error, bound) => {
    if (error) reject(listenFault(error, port, "GRPC_PORT"));
    else resolve(bound);
  });
  return promise;
}

async function drain(server: Server, { unary, streams }: OpenCalls, drainMs: number): Promise<void> {
  const closing = unavailable("the server is closing", undefined, 0);
  // Streams would never end by themselves; their callers go on at another instance.
  for (const call of streams) call.abort(closing);
  const closed = new Promise<void>((resolve) => server.tryShutdown(() => resolve()));
  await within(drainMs, closed);
  for (const call of unary) call.abort(closing);
  await within(flushMs, closed);
}

async function within(milliseconds: number, done: Promise<void>): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, milliseconds);
  await Promise.race([done, promise]);
  clearTimeout(timer);
}
