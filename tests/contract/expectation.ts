import type { DescMethod, Message } from "@bufbuild/protobuf";
import { pathToString } from "@bufbuild/protobuf/reflect";
import { createValidator } from "@bufbuild/protovalidate";
import { type Answer, codeNames } from "./drive/answer.ts";

const validator = createValidator();
/** What no call may be answered with, whatever was sent: a fault of the server, or its absence. */
const neverCodes = new Set([
  "CANCELLED",
  "UNKNOWN",
  "DEADLINE_EXCEEDED",
  "UNIMPLEMENTED",
  "INTERNAL",
  "UNAVAILABLE",
  "DATA_LOSS",
]);
/** Of longer lists the server tells the beginning only. */
const toldInFull = 20;

/** The fields that break a rule, as paths; empty for a message that keeps them all. */
export function brokenFields({ input }: DescMethod, message: Message): string[] {
  const result = validator.validate(input, message);
  if (result.kind === "error") throw result.error;
  return result.kind === "valid" ? [] : result.violations.map(({ field }) => pathToString(field));
}

/** What is wrong with an answer, whatever the others say. */
export function faultsOf(answer: Answer, expected: { broken: string[]; authenticated: boolean }): string[] {
  const { failure, faults } = answer;
  const found = [...faults];
  const code = failure && (codeNames[failure.code] ?? String(failure.code));
  if (code !== undefined && neverCodes.has(code)) found.push(`${code} ${failure?.reason}: ${failure?.message}`);
  if (!expected.authenticated) {
    if (code !== "UNAUTHENTICATED") found.push(`answered without a good token: ${code ?? "OK"}`);
  } else if (expected.broken.length > 0 && code !== "RESOURCE_EXHAUSTED") {
    if (code !== "INVALID_ARGUMENT") found.push(`${expected.broken.join(", ")} taken as good: ${code ?? "OK"}`);
    else found.push(...wrongFields(answer, expected.broken));
  }
  return found;
}

function wrongFields({ failure }: Answer, broken: string[]): string[] {
  if (broken.length > toldInFull || failure === undefined) return [];
  const named = new Set(failure.violations.map(({ field }) => field));
  const missing = broken.filter((field) => !named.has(field));
  return missing.length > 0
    ? [`the violation does not name ${missing.join(", ")} but ${[...named].join(", ") || "nothing"}`]
    : [];
}
