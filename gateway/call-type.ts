import type { IncomingHttpHeaders } from "node:http";
import type { DescMethod } from "@bufbuild/protobuf";
import { type Coding, codings } from "./compression/codings.ts";
import { malformedRequest, unknownCoding } from "./errors/edge-error.ts";

const pattern =
  /^application\/(?:(?<plain>json|proto)|(?<protocol>connect|grpc|grpc-web)(?:\+(?<framed>json|proto))?)\s*(?:;\s*charset\s*=\s*"?utf-8"?\s*)?$/i;

/** How the message of an RPC is written, as its content type says. */
export interface CallType {
  isJson: boolean;
  /** Whether messages are in frames: all but the unary calls of Connect. */
  isFramed: boolean;
  /** The header that names the compression. */
  codingHeader: "content-encoding" | "connect-content-encoding" | "grpc-encoding";
}

/** Undefined: a content type that the method is not called with. */
export function callTypeOf({ methodKind }: DescMethod, contentType: string | undefined): CallType | undefined {
  const type = pattern.exec(contentType ?? "")?.groups;
  if (type === undefined) return undefined;
  const protocol = type.protocol?.toLowerCase();
  const codec = (type.plain ?? type.framed)?.toLowerCase();
  const isJson = codec === "json";
  if (protocol === undefined) {
    return methodKind === "unary" ? { isJson, isFramed: false, codingHeader: "content-encoding" } : undefined;
  }
  if (protocol !== "connect") return { isJson, isFramed: true, codingHeader: "grpc-encoding" };
  if (methodKind === "unary" || codec === undefined) return undefined;
  return { isJson, isFramed: true, codingHeader: "connect-content-encoding" };
}

/** The compression that the headers name; undefined for none. Throws UNIMPLEMENTED. */
export function codingOfCall({ codingHeader }: CallType, headers: IncomingHttpHeaders): Coding | undefined {
  return codingNamed(headers[codingHeader], codingHeader);
}

/** The compression of that name. Throws UNIMPLEMENTED, naming those that there are as the protocol wants it. */
export function codingNamed(name: string | string[] | undefined, header: CallType["codingHeader"]): Coding | undefined {
  if (name === undefined || name === "" || name === "identity") return undefined;
  const coding = codings.find((known) => known.name === name);
  if (coding === undefined) throw unknownCoding(header.replace(/(content-)?encoding$/, "accept-encoding"));
  return coding;
}

/** Throws INVALID_ARGUMENT for a version of Connect that there is not. Only some clients say theirs. */
export function checkVersion(version: string | string[] | undefined | null, only: "1" | "v1"): void {
  if (version !== undefined && version !== null && version !== only) {
    throw malformedRequest(`the version of the Connect protocol must be ${only}`);
  }
}
