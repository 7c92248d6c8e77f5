import { type DescMethod, getOption, hasOption } from "@bufbuild/protobuf";
import { MethodOptions_IdempotencyLevel } from "@bufbuild/protobuf/wkt";
import { type Access, policy, RateClass } from "#gen/mesh/v1/options_pb.js";

const defaultTimeoutMs = 2000;
const { NO_SIDE_EFFECTS: noSideEffects } = MethodOptions_IdempotencyLevel;

/** What the proto says about a method (mesh.v1.policy), in the units of the runtime. */
export interface MethodPolicy {
  access: Access;
  /** With ACCESS_INTERNAL: the services that may call; all of them when empty. */
  callers: ReadonlySet<string>;
  /** Whether a repeated key answers as the first call did. */
  idempotencyKey: boolean;
  /** The edge's rate limit that counts a call. */
  rateClass: Exclude<RateClass, RateClass.UNSPECIFIED>;
  /** How much of the limit a call takes; 1 or more. */
  cost: number;
  /** Whether a replica of the database may answer. */
  replica: boolean;
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

/**
 * What an API key must be allowed so that it may call the method: "tasks:read" for those of task.v1 without side effects,
 * "tasks:write" for the others. Nobody can get a scope of auth.v1, so that accounts are for sessions only.
 */
export function scopeOf({ parent, idempotency }: DescMethod): string {
  const [domain] = parent.typeName.split(".");
  return `${domain}s:${idempotency === noSideEffects ? "read" : "write"}`;
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
  const { access, callers, timeout, idempotencyKey, rateClass, cost, replica } = getOption(method, policy);
  const timeoutMs = timeout ? Number(timeout.seconds) * 1000 + timeout.nanos / 1e6 : unset;
  return {
    policy: {
      access,
      callers: new Set(callers),
      idempotencyKey,
      rateClass: rateClass || RateClass.GENERAL,
      cost: cost || 1,
      replica,
    },
    timeoutMs,
  };
}
