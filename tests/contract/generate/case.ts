import type { DescMessage, DescMethod } from "@bufbuild/protobuf";
import { MethodOptions_IdempotencyLevel } from "@bufbuild/protobuf/wkt";
import fc from "fast-check";
import { Access, RateClass } from "#gen/mesh/v1/options_pb.js";
import { policyOf } from "#kit/grpc/policy.ts";
import { bodyDesc, pathFields } from "../drive/rest-rule.ts";
import { breakagesOf } from "./broken.ts";
import { type JsonFault, jsonFaults } from "./json.ts";
import { type Init, validMessages } from "./message.ts";
import { type WireFault, wireFaults } from "./wire.ts";

/** How the JSON of a message is written: all of these mean the same. */
export interface JsonStyle {
  useProtoFieldName: boolean;
  alwaysEmitImplicit: boolean;
  enumAsInteger: boolean;
}

/** One generated call: what is sent, in symbols, and by whom. */
export interface Case {
  method: DescMethod;
  /** "valid", "broken task.title: tooLong", "wire truncated", "json unknown field". */
  kind: string;
  message: Init;
  wire?: WireFault;
  json?: JsonFault;
  style: JsonStyle;
  /** Whose token is sent. */
  token: "own" | "none" | "forged";
  /** Number of the idempotency key, if one is sent. */
  key?: number | undefined;
  /** Number of the etag that If-Match names, if it is sent. */
  ifMatch?: number | undefined;
  /** By REST a body without a mask means its own fields. If so, the others send the mask that this is. */
  maskByBody: boolean;
  /** Send the same once more: with a key, the answer has to be the same. */
  again: boolean;
}

const style = fc.record({
  useProtoFieldName: fc.boolean(),
  alwaysEmitImplicit: fc.boolean(),
  enumAsInteger: fc.boolean(),
});
const token = fc.oneof(
  { weight: 60, arbitrary: fc.constant("own" as const) },
  { weight: 1, arbitrary: fc.constantFrom("none" as const, "forged" as const) },
);

/** Calls of any of the methods. */
export function casesOf(methods: readonly DescMethod[]): fc.Arbitrary<Case> {
  return fc.oneof(...methods.map((method) => ({ weight: weightOf(method), arbitrary: casesOfMethod(method) })));
}

/** Passwords are slow to check by design, and streams are held open: they come more seldom. */
function weightOf(method: DescMethod): number {
  if (method.methodKind !== "unary") return 1;
  return policyOf(method)?.rateClass === RateClass.AUTH ? 1 : 20;
}

export function isRead({ idempotency }: DescMethod): boolean {
  return idempotency === MethodOptions_IdempotencyLevel.NO_SIDE_EFFECTS;
}

function casesOfMethod(method: DescMethod): fc.Arbitrary<Case> {
  const policy = policyOf(method);
  const valid = validMessages(method.input);
  const key = policy?.idempotencyKey ? keys : fc.constant(undefined);
  const shared = {
    method: fc.constant(method),
    style,
    key,
    ifMatch: hasEtag(method.input) ? ifMatch : fc.constant(undefined),
    maskByBody: fc.boolean(),
    again: oneIn(12),
    token: policy?.access === Access.USER ? token : own,
  };
  const kinds = [
    { weight: 5, arbitrary: fc.record({ ...shared, kind: fc.constant("valid"), message: valid }) },
    {
      weight: 3,
      arbitrary: fc
        .record({ ...shared, message: valid, fault: wireFaults(method.input) })
        // A key is for one message, and what is unknown in it is a part of that; JSON cannot say it.
        .map(({ fault: wire, ...rest }): Case => ({ ...rest, kind: `wire ${wire.name}`, wire, key: undefined })),
    },
    {
      weight: 2,
      arbitrary: fc
        .record({ ...shared, message: valid, fault: jsonFaults(bodyDesc(method), pathFields(method)) })
        .map(({ fault: json, ...rest }): Case => ({ ...rest, kind: `json ${json.name}`, json })),
    },
  ];
  const breakages = breakagesOf(method.input).map(({ name, values, apply }) =>
    fc
      .record({ ...shared, message: valid, value: values })
      .map(
        ({ message, value, ...rest }): Case => ({ ...rest, kind: `broken ${name}`, message: apply(message, value) }),
      ),
  );
  if (breakages.length > 0) kinds.push({ weight: 5, arbitrary: fc.oneof(...breakages) });
  return fc.oneof(...kinds);
}

const own = fc.constant("own" as const);
const keys = fc.oneof({ weight: 4, arbitrary: fc.constant(undefined) }, { weight: 1, arbitrary: fc.nat({ max: 4 }) });

const ifMatch = fc.oneof(
  { weight: 9, arbitrary: fc.constant(undefined) },
  { weight: 1, arbitrary: fc.nat({ max: 7 }) },
);

function hasEtag({ fields }: DescMessage): boolean {
  return fields.some(({ name, message }) => name === "etag" || message?.fields.some((inner) => inner.name === "etag"));
}

function oneIn(count: number): fc.Arbitrary<boolean> {
  return fc.nat({ max: count - 1 }).map((value) => value === 0);
}
