import { type DescMethod, getOption, hasOption } from "@bufbuild/protobuf";
import { type Access, policy } from "#gen/mesh/v1/options_pb.js";

const defaultTimeoutMs = 2000;

/** What the proto says about a method (mesh.v1.policy), in the units of the runtime. */
export interface MethodPolicy {
  access: Access;
  /** With ACCESS_INTERNAL: the services that may call; all of them when empty. */
  callers: ReadonlySet<string>;
  /** Whether a repeated key answers as the first call did. */
  idempotencyKey: boolean;
}

interface Entry {
  policy: MethodPolicy | undefined;
  timeoutMs: number | undefined;
}

const entries = new WeakMap<DescMethod, Entry>();

/** The policy of a method, or undefined when it has none. */
export function policyOf(method: DescMethod): MethodPolicy | undefined {
  return entryOf(method).policy;
}

/** Longest time that a call may take, in milliseconds; undefined for a stream whose policy sets none. */
export function timeoutOf(method: DescMethod): number | undefined {
  return entryOf(method).timeoutMs;
}

function entryOf(method: DescMethod): Entry {
  let entry = entries.get(method);
  if (!entry) {
    entry = read(method);
    entries.set(method, entry);
  }
  return entry;
}

function read(method: DescMethod): Entry {
  const unset = method.methodKind === "unary" ? defaultTimeoutMs : undefined;
  if (!hasOption(method, policy)) return { policy: undefined, timeoutMs: unset };
  const { access, callers, timeout, idempotencyKey } = getOption(method, policy);
  const timeoutMs = timeout ? Number(timeout.seconds) * 1000 + timeout.nanos / 1e6 : unset;
  return { policy: { access, callers: new Set(callers), idempotencyKey }, timeoutMs };
}
