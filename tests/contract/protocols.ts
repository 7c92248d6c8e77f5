import type { DescMethod } from "@bufbuild/protobuf";
import { Access } from "#gen/mesh/v1/options_pb.js";
import { policyOf } from "#kit/grpc/policy.ts";
import { meshServices } from "../../gateway/services.ts";
import { connect, connectGet } from "./drive/connect.ts";
import { grpc, grpcWeb } from "./drive/grpc.ts";
import { Http1 } from "./drive/http1.ts";
import { Http2 } from "./drive/http2.ts";
import type { Protocol } from "./drive/protocol.ts";
import { rest } from "./drive/rest.ts";

/** Every RPC that anybody outside may call, by its descriptor: a new one needs no line here. */
export const publicMethods: readonly DescMethod[] = publicOf(
  Object.values(meshServices).flatMap(({ methods }) => methods),
);

export function publicOf(methods: readonly DescMethod[]): DescMethod[] {
  return methods.filter((method) => {
    const access = policyOf(method)?.access;
    return access === Access.PUBLIC || access === Access.USER;
  });
}

/** "task.v1.TaskService/GetTask" */
export function nameOf({ parent, name }: DescMethod): string {
  return `${parent.typeName}/${name}`;
}

/** Everything that speaks with the edge, each in its own protocol. */
export interface Speakers {
  protocols: readonly Protocol[];
  /** Says every call that is a message. */
  fallback: Protocol;
  close(): void;
}

export function speakersTo(edge: string): Speakers {
  const [http1, http2] = [new Http1(edge), new Http2(edge)];
  const fallback = connect(http2, "proto");
  return {
    protocols: [grpc(http2), grpcWeb(http1), fallback, connect(http1, "json"), connectGet(http1), rest(http1)],
    fallback,
    close: () => {
      http1.close();
      http2.close();
    },
  };
}
