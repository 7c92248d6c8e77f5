import { Code } from "#kit/errors.ts";
import { codeOfHttp } from "#kit/grpc/call-end.ts";
import { UserError } from "../../user-error.ts";

/** The status of gRPC by its name, or by the status of HTTP that stands for it. Throws one line for any other text. */
export function grpcStatusOf(text: string): number {
  const status = /^\d+$/.test(text) ? codeOfHttp[Number(text)] : Code[text.toUpperCase() as keyof typeof Code];
  if (status !== undefined) return status;
  const names = [...Object.keys(Code), ...Object.keys(codeOfHttp)];
  throw new UserError(`"${text}" is no status to abort with: take one of ${names.join(", ")}`);
}
