import { setTimeout as sleep } from "node:timers/promises";
import { create, type DescMethod, type Message } from "@bufbuild/protobuf";
import { type Any, anyPack } from "@bufbuild/protobuf/wkt";
import { ErrorReason } from "#gen/mesh/v1/error_reason_pb.js";
import { type Code, ServiceError } from "#kit/errors.ts";
import type { CallContext, ServiceEntry } from "#kit/grpc/service.ts";
import { conformanceMessage, conformanceService, policyTimeoutMs } from "./descriptors.ts";

interface Header {
  name: string;
  value: string[];
}

interface Failure {
  code: number;
  message?: string;
  details: Any[];
}

/** UnaryResponseDefinition and StreamResponseDefinition. */
interface Definition {
  responseHeaders: Header[];
  responseTrailers: Header[];
  responseDelayMs: number;
  response?: { case: "responseData"; value: Uint8Array } | { case: "error"; value: Failure } | { case: undefined };
  responseData?: Uint8Array[];
  error?: Failure;
}

type Request = Message & { responseDefinition?: Definition };

const echoedHeaders = ["x-conformance-test"];

/** The service that the suite asks for, as its proto describes it. */
export function conformanceEntry(): ServiceEntry {
  const desc = conformanceService();
  const { unary: unaryMethod, idempotentUnary, serverStream: streamMethod } = desc.method as Record<string, DescMethod>;
  if (!unaryMethod || !idempotentUnary || !streamMethod) throw new Error("the service of the suite has changed");
  const impl = {
    unary: unary(unaryMethod),
    idempotentUnary: unary(idempotentUnary),
    serverStream: serverStream(streamMethod),
    unimplemented: async () => {
      throw new ServiceError({ reason: ErrorReason.UNKNOWN_METHOD, message: "unimplemented" });
    },
  };
  return { desc, impl };
}

function unary(method: DescMethod) {
  return async (request: Request, call: CallContext) => {
    const { responseDefinition: definition } = request;
    const requestInfo = infoOf(method, request, call);
    announce(definition, call);
    if (definition !== undefined) await sleep(definition.responseDelayMs);
    const response = definition?.response;
    if (response?.case === "error") throw failure(response.value, requestInfo);
    const data = response?.case === "responseData" ? response.value : new Uint8Array();
    return { payload: { data, requestInfo } };
  };
}

function serverStream(method: DescMethod) {
  return async function* (request: Request, call: CallContext) {
    const { responseDefinition: definition } = request;
    const requestInfo = infoOf(method, request, call);
    announce(definition, call);
    const messages = definition?.responseData ?? [];
    for (const [index, data] of messages.entries()) {
      await sleep(definition?.responseDelayMs);
      yield { payload: index === 0 ? { data, requestInfo } : { data } };
    }
    if (definition?.error) throw failure(definition.error, messages.length === 0 ? requestInfo : undefined);
  };
}

function announce(definition: Definition | undefined, call: CallContext): void {
  for (const { name, value } of definition?.responseHeaders ?? []) call.responseHeader(name, value.join(", "));
  for (const { name, value } of definition?.responseTrailers ?? []) call.setTrailer(name, value.join(", "));
}

function infoOf(method: DescMethod, request: Request, call: CallContext): Message {
  const remainingMs = (call.deadline?.getTime() ?? Number.POSITIVE_INFINITY) - Date.now();
  return create(conformanceMessage("ConformancePayload.RequestInfo"), {
    requestHeaders: echoedHeaders.flatMap((name) => {
      const value = call.header(name);
      return value === undefined ? [] : [create(conformanceMessage("Header"), { name, value: [value] })];
    }),
    // The mesh gives every call a deadline.
    timeoutMs: remainingMs < policyTimeoutMs / 2 ? BigInt(Math.round(remainingMs)) : undefined,
    requests: [anyPack(method.input, request)],
  });
}

function failure({ code, message = "", details }: Failure, info: Message | undefined): ServiceError {
  const packed = info && anyPack(conformanceMessage("ConformancePayload.RequestInfo"), info);
  return new ServiceError({
    code: code as Code,
    reason: ErrorReason.UNSPECIFIED,
    message,
    details: packed ? [...details, packed] : details,
  });
}
