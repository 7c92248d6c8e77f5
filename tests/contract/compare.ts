import type { JsonValue } from "@bufbuild/protobuf";
import type { Case } from "./generate/case.ts";

interface Told {
  name: string;
  form: Record<string, JsonValue>;
}

/** Where the answers of the protocols are not the same; the first one is what the others are held against. */
export function differences(answers: Told[], one: Case): string[] {
  const [first, ...others] = answers;
  if (first === undefined) return [];
  return others.flatMap((other) => {
    const left = comparable(first, other, one);
    const right = comparable(other, first, one);
    return left === right ? [] : [`${first.name} and ${other.name} differ: ${excerpt(left, right)}`];
  });
}

/** What can be held against the other: REST lists the fields of a failure in words of its own. */
function comparable({ form }: Told, other: Told, one: Case): string {
  const failure = form.failure as Record<string, JsonValue> | undefined;
  if (failure === undefined) {
    // What a stream has ready at once is a matter of moments.
    const isLate = one.method.methodKind !== "unary" && !(form.message && other.form.message);
    return JSON.stringify(isLate ? { metadata: form.metadata } : form);
  }
  const { code, reason, violations, message, metadata, retry } = failure;
  // Where text is malformed as such, the place at which a parser notices depends on what is around it.
  if (one.json?.text) return JSON.stringify({ code, reason });
  const others = other.form.failure as Record<string, JsonValue> | undefined;
  const isWorded = message !== undefined && others?.message !== undefined;
  return JSON.stringify({
    code,
    reason,
    retry,
    violations,
    metadata,
    ...(isWorded && { message }),
    told: form.metadata,
  });
}

function excerpt(left: string, right: string): string {
  let at = 0;
  while (at < left.length && left[at] === right[at]) at++;
  const from = Math.max(0, at - 60);
  return `…${left.slice(from, at + 120)} · …${right.slice(from, at + 120)}`;
}
