import type { DescMethod, Message } from "@bufbuild/protobuf";
import { mustBeValid } from "#kit/grpc/validation.ts";

/** Refuses what the service would refuse by the rules of its proto, and saves it the call. Throws INVALID_ARGUMENT. */
export function checkRequest(method: DescMethod, message: Message): void {
  mustBeValid(method.input, message);
}
