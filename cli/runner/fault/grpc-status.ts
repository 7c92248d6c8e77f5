import { Code } from "#kit/errors.ts";
import { UserError } from "../../user-error.ts";

/** What a caller of gRPC makes of a status of HTTP without one of gRPC, as the protocol's mapping says. */
const ofHttp: Readonly<Record<string, number>> = {
  400: Code.INTERNAL,
  401: Code.UNAUTHENTICATED,
  403: Code.PERMISSION_DENIED,
  404: Code.UNIMPLEMENTED,
  429: Code.UNAVAILABLE,
  502: Code.UNAVAILABLE,
  503: Code.UNAVAILABLE,
  504: Code.UNAVAILABLE,
};

/** The status of gRPC by its name, or by the status of HTTP that stands for it. Throws one line for any other text. */
export function grpcStatusOf(text: string): number {
  const status = /^\d+$/.test(text) ? ofHttp[text] : Code[text.toUpperCase() as keyof typeof Code];
  if (status !== undefined) return status;
  const names = [...Object.keys(Code), ...Object.keys(ofHttp)];
  throw new UserError(`"${text}" is no status to abort with: take one of ${names.join(", ")}`);
}
