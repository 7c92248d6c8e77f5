import type { DescMessage } from "@bufbuild/protobuf";
import type { Binding } from "./binding.ts";
import { findField } from "./field-path.ts";

const tokens = /\[(?:"(?:[^"\\]|\\.)*"|[^\]]*)\]|[^.[]+/g;

/**
 * A field of the request in the words of an HTTP client: JSON names, and relative to the body when the field is in it.
 * "task.due.date_time" is "due.dateTime" where `body` is "task"; the body itself is "". "page_size" is "pageSize".
 */
export function clientField(binding: Binding, protoPath: string): string {
  let message: DescMessage | undefined = binding.method.input;
  let name = "";
  for (const [index, token] of [...protoPath.matchAll(tokens)].map((match) => match[0]).entries()) {
    if (token.startsWith("[")) {
      name += token;
      continue;
    }
    const field: ReturnType<typeof findField> = message && findField(message, token);
    message = field?.message;
    if (index === 0 && field !== undefined && field === binding.body) continue;
    name += `${name && "."}${field?.jsonName ?? token}`;
  }
  return name;
}
