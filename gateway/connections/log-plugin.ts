import { fastifyConnectPlugin } from "@connectrpc/connect-fastify";
import type { FastifyInstance } from "fastify";
import type { Address } from "#gen/envoy/config/core/v3/address_pb.js";
import type { AccessLogCommon } from "#gen/envoy/data/accesslog/v3/accesslog_pb.js";
import { AccessLogService } from "#gen/envoy/service/accesslog/v3/als_pb.js";
import type { Connection, ConnectionCount } from "./connection-count.ts";

/** Envoy tells by its access log when a connection has ended. Nothing outside gets here: the edge has no route for it. */
export async function connectionLogPlugin(app: FastifyInstance, { count }: { count: ConnectionCount }): Promise<void> {
  app.addHook("onRoute", (route) => {
    route.config = { ...route.config, countsItself: true };
  });
  const closing = new AbortController();
  app.addHook("preClose", async () => closing.abort());
  app.register(fastifyConnectPlugin, {
    shutdownSignal: closing.signal,
    routes: (router) => {
      router.service(AccessLogService, {
        streamAccessLogs: async (messages, { signal }) => {
          for await (const { tcpLogs } of untilAborted(messages, signal)) {
            for (const { commonProperties } of tcpLogs?.logEntry ?? []) {
              const connection = commonProperties && endedConnection(commonProperties);
              if (connection) void count.closed(connection);
            }
          }
          return {};
        },
      });
    },
  });
}

/** Ends with the signal, also while it waits: Envoy keeps its stream for as long as somebody reads it. */
async function* untilAborted<T>(messages: AsyncIterable<T>, signal: AbortSignal): AsyncGenerator<T> {
  const reader = messages[Symbol.asyncIterator]();
  let turn = Promise.withResolvers<IteratorResult<T> | undefined>();
  signal.addEventListener("abort", () => turn.resolve(undefined), { once: true });
  while (!signal.aborted) {
    turn = Promise.withResolvers();
    reader.next().then(turn.resolve, turn.reject);
    const next = await turn.promise;
    if (next === undefined || next.done) return;
    yield next.value;
  }
}

function endedConnection({ downstreamRemoteAddress, downstreamLocalAddress }: AccessLogCommon): Connection | undefined {
  const [remote, local] = [socketOf(downstreamRemoteAddress), socketOf(downstreamLocalAddress)];
  return remote && local && { client: remote.address, id: `${textOf(remote)} ${textOf(local)}` };
}

function socketOf(address: Address | undefined) {
  return address?.address.case === "socketAddress" ? address.address.value : undefined;
}

function textOf({ address, portValue }: { address: string; portValue: number }): string {
  return address.includes(":") ? `[${address}]:${portValue}` : `${address}:${portValue}`;
}
