import { once } from "node:events";
import { type ClientHttp2Session, connect } from "node:http2";
import { create, toBinary } from "@bufbuild/protobuf";
import autocannon from "autocannon";
import { GetTaskRequestSchema } from "#gen/task/v1/task_service_pb.js";
import { connections } from "./load.ts";

/** One kind of call, to be made once or many times. A wrong answer throws. */
export interface Call {
  name: "get" | "create" | "connect" | "grpc";
  once(): Promise<boolean>;
  many(count: number): Promise<void>;
  close?(): void;
}

const task = { title: "Send the quarterly figures", description: "The draft is in the shared folder.", priority: 3 };

/** The same work by each way into the mesh: REST, Connect with JSON, gRPC. */
export async function callsOf(url: string, token: string, taskId: string): Promise<Call[]> {
  const headers = { authorization: `Bearer ${token}` };
  const json = { ...headers, "content-type": "application/json" };
  const rpc = `${url}/task.v1.TaskService/GetTask`;
  return [
    overHttp("get", { url: `${url}/v1/tasks/${taskId}`, headers }),
    overHttp("create", { url: `${url}/v1/tasks`, headers: json, method: "POST", body: JSON.stringify(task) }),
    overHttp("connect", { url: rpc, headers: json, method: "POST", body: JSON.stringify({ taskId }) }),
    overGrpc(url, headers, taskId),
  ];
}

interface HttpRequest {
  url: string;
  method?: "POST";
  headers: Record<string, string>;
  body?: string;
}

function overHttp(name: Call["name"], request: HttpRequest): Call {
  return {
    name,
    once: async () => {
      const response = await fetch(request.url, { ...request, signal: AbortSignal.timeout(2000) });
      await response.arrayBuffer();
      return response.ok;
    },
    many: async (amount) => {
      const result = await autocannon({ ...request, amount, connections });
      const wrong = result.non2xx + result.errors + result.timeouts;
      if (wrong > 0) throw new Error(`${name}: ${wrong} of ${amount} answers were wrong`);
    },
  };
}

function overGrpc(url: string, headers: Record<string, string>, taskId: string): Call {
  const message = toBinary(GetTaskRequestSchema, create(GetTaskRequestSchema, { taskId }));
  const frame = Buffer.concat([Buffer.alloc(5), message]);
  frame.writeUInt32BE(message.length, 1);
  const sessions: ClientHttp2Session[] = [];
  const ask = async (session: ClientHttp2Session): Promise<boolean> => {
    const stream = session.request({
      ":method": "POST",
      ":path": "/task.v1.TaskService/GetTask",
      "content-type": "application/grpc",
      te: "trailers",
      ...headers,
    });
    let status: unknown;
    stream.on("response", (fields) => {
      status = fields["grpc-status"];
    });
    stream.on("trailers", (fields) => {
      status = fields["grpc-status"];
    });
    stream.resume();
    stream.end(frame);
    await once(stream, "close");
    return status === "0";
  };
  const session = (index: number) => (sessions[index] ??= connect(url));
  return {
    name: "grpc",
    once: () => ask(session(0)),
    many: async (count) => {
      let left = count;
      const loop = async (index: number) => {
        while (left-- > 0) if (!(await ask(session(index % 4)))) throw new Error("grpc: a wrong answer");
      };
      await Promise.all(Array.from({ length: connections }, (_, index) => loop(index)));
    },
    close: () => {
      for (const open of sessions) open.close();
    },
  };
}
