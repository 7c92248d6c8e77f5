import { Code, ConnectError, type Interceptor, type Transport } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-web";

export interface Connection {
  baseUrl: string;
  fetch: typeof globalThis.fetch;
  /** How long a call may take in all, in milliseconds, unless it says so itself. Streams have no such bound. */
  timeoutMs: number | undefined;
}

/** A transport by the Connect protocol, which Node and browsers speak alike. */
export function transportTo({ baseUrl, fetch, timeoutMs }: Connection, interceptors: Interceptor[]): Transport {
  const transport = createConnectTransport({ baseUrl, interceptors, fetch: reporting(fetch) });
  return {
    unary: (method, signal, callTimeoutMs, ...rest) =>
      transport.unary(method, signal, callTimeoutMs ?? timeoutMs, ...rest),
    stream: transport.stream,
  };
}

/** Says of a server that cannot be reached that it is away, as a proxy before it would. */
function reporting(fetch: typeof globalThis.fetch): typeof globalThis.fetch {
  return async (input, init) => {
    try {
      return await fetch(input, init);
    } catch (error) {
      if (init?.signal?.aborted || !(error instanceof TypeError)) throw error;
      throw new ConnectError("the server cannot be reached", Code.Unavailable, undefined, undefined, error);
    }
  };
}
