import { request as httpRequest, type IncomingHttpHeaders } from "node:http";
import { type ClientHttp2Session, connect } from "node:http2";

export interface HttpAnswer {
  status: number;
  headers: IncomingHttpHeaders;
  body: string;
}

/** HTTP/1.1, with the path as it is: `fetch` would tidy it up. */
export function http(
  port: number,
  path: string,
  { method = "GET", headers = {}, body }: { method?: string; headers?: Record<string, string>; body?: string } = {},
): Promise<HttpAnswer> {
  return new Promise((resolve, reject) => {
    const request = httpRequest({ host: "127.0.0.1", port, path, method, headers, agent: false }, async (response) => {
      const text = Buffer.concat(await response.toArray()).toString();
      resolve({ status: response.statusCode ?? 0, headers: response.headers, body: text });
    });
    request.on("upgrade", (response, socket, head) => {
      socket.destroy();
      resolve({ status: response.statusCode ?? 0, headers: response.headers, body: head.toString() });
    });
    request.on("error", reject);
    request.end(body);
  });
}

export interface GrpcAnswer {
  status: number;
  /** grpc-status of headers or trailers; NaN when there is none. */
  grpcStatus: number;
  headers: Record<string, unknown>;
}

/** One unary gRPC call with an empty message, on a connection of its own. */
export async function grpc(port: number, path: string, headers: Record<string, string> = {}): Promise<GrpcAnswer> {
  const session = connect(`http://127.0.0.1:${port}`);
  try {
    return await grpcOver(session, path, headers);
  } finally {
    session.close();
  }
}

/** The same on a connection that is there, with any bytes in place of the message. */
export function grpcOver(
  session: ClientHttp2Session,
  path: string,
  headers: Record<string, string> = {},
  body: Buffer = Buffer.alloc(5),
): Promise<GrpcAnswer> {
  return new Promise<GrpcAnswer>((resolve, reject) => {
    session.once("error", reject);
    const stream = session.request({
      ":method": "POST",
      ":path": path,
      "content-type": "application/grpc",
      te: "trailers",
      ...headers,
    });
    const answer: GrpcAnswer = { status: 0, grpcStatus: Number.NaN, headers: {} };
    const take = (received: Record<string, unknown>) => {
      if (received["grpc-status"] !== undefined) answer.grpcStatus = Number(received["grpc-status"]);
    };
    stream.on("response", (received) => {
      answer.status = received[":status"] ?? 0;
      answer.headers = received;
      take(received);
    });
    stream.on("trailers", take).on("error", reject);
    stream.on("close", () => {
      session.off("error", reject);
      resolve(answer);
    });
    stream.resume();
    stream.end(body);
  });
}
