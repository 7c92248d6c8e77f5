import { fromBinary } from "@bufbuild/protobuf";
import { type Code as ConnectCode, ConnectError } from "@connectrpc/connect";
import { StatusSchema } from "#gen/google/rpc/status_pb.js";
import type { ServiceError } from "#kit/errors.ts";
import { toStatus } from "#kit/grpc/status.ts";
import { errorHeaders } from "./problem.ts";

const typePrefix = "type.googleapis.com/";

/** The same error for Connect, gRPC and gRPC-Web: code, message and google.rpc details as the mesh has them. */
export function toConnectError(error: ServiceError): ConnectError {
  const status = toStatus(error);
  // The codes of Connect are numbered as those of gRPC.
  const code = error.code as number as ConnectCode;
  const connectError = new ConnectError(status.details, code, errorHeaders(error), undefined, error);
  const [bytes] = status.metadata.get("grpc-status-details-bin");
  if (Buffer.isBuffer(bytes)) {
    connectError.details = fromBinary(StatusSchema, bytes).details.map(({ typeUrl, value }) => ({
      type: typeUrl.startsWith(typePrefix) ? typeUrl.slice(typePrefix.length) : typeUrl,
      value,
    }));
  }
  return connectError;
}
