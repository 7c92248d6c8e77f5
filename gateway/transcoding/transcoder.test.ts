import { toJson } from "@bufbuild/protobuf";
import { describe, expect, test } from "vitest";
import { clientField } from "./client-field.ts";
import { TranscodingError } from "./errors.ts";
import { compileTestProtos } from "./testdata/descriptors.ts";
import { Transcoder } from "./transcoder.ts";

const transcoder = new Transcoder(compileTestProtos().service.methods);

/** "GetMessage {…}": which method an HTTP request calls, and with which message. */
function call(method: string, target: string, body?: unknown): string {
  const [path = "", query = ""] = target.split("?");
  const route = transcoder.route(method, path);
  if (route.kind !== "found") return route.kind;
  const bytes = body === undefined ? undefined : Buffer.from(typeof body === "string" ? body : JSON.stringify(body));
  const message = transcoder.decode(route, query, bytes);
  return `${route.binding.method.name} ${JSON.stringify(toJson(route.binding.method.input, message))}`;
}

function faults(run: () => unknown): Record<string, string> | string {
  try {
    run();
  } catch (error) {
    if (!(error instanceof TranscodingError)) throw error;
    return Object.fromEntries(error.faults.map(({ field, description }) => [field, description]));
  }
  return "no error";
}

describe("[edge.01] the examples of google/api/http.proto", () => {
  test.each([
    ["GET", "/v1/messages/123456", undefined, 'GetByName {"name":"messages/123456"}'],
    [
      "GET",
      "/v2/messages/123456?revision=2&sub.subfield=foo",
      undefined,
      'GetMessage {"messageId":"123456","revision":"2","sub":{"subfield":"foo"}}',
    ],
    ["PATCH", "/v1/messages/123456", { text: "Hi!" }, 'UpdateMessage {"messageId":"123456","message":{"text":"Hi!"}}'],
    ["PATCH", "/v3/messages/123456", { text: "Hi!" }, 'ReplaceMessage {"messageId":"123456","text":"Hi!"}'],
    ["GET", "/v2/users/me/messages/123456", undefined, 'GetMessage {"messageId":"123456","userId":"me"}'],
    ["GET", "/v4/messages/1/foo", undefined, 'SelectorExample {"messageId":"1","sub":{"subfield":"foo"}}'],
    ["PURGE", "/v1/caches/7", undefined, 'Custom {"name":"caches/7"}'],
  ])("%s %s", (method, target, body, called) => {
    expect(call(method, target, body)).toBe(called);
  });

  test("a variable of one segment is decoded whole, one of several keeps its encoded slashes", () => {
    expect(call("GET", "/v2/messages/a%2Fb%20c%3Ad")).toBe('GetMessage {"messageId":"a/b c:d"}');
    expect(call("GET", "/v2/messages/a+b")).toBe('GetMessage {"messageId":"a+b"}');
    expect(call("GET", "/v1/messages/a%2Fb%20c%2fd")).toBe('GetByName {"name":"messages/a%2Fb c%2fd"}');
    expect(call("GET", "/v5/files/a/b%20c/d")).toBe('Rest {"name":"files/a/b c/d"}');
    expect(call("GET", "/v5/files")).toBe('Rest {"name":"files"}');
    expect(call("POST", "/v5/files/a/b:copy")).toBe('Rest {"name":"files/a/b"}');
  });

  test("a body of * leaves nothing for the query", () => {
    expect(faults(() => call("PATCH", "/v3/messages/1?text=x", {}))).toEqual({ text: "belongs into the body" });
  });

  test("a body may be a list", () => {
    expect(call("POST", "/v1/every:texts?count=2", ["a", "b"])).toBe('PutEvery {"texts":["a","b"],"count":2}');
  });
});

describe("path", () => {
  test.each([
    ["/v2/messages/%ff", { message_id: "must be percent-encoded UTF-8" }],
    ["/v2/messages/%zz", { message_id: "must be percent-encoded UTF-8" }],
    ["/v2/messages/%2e%2e", { message_id: "must not be a dot segment" }],
    ["/v5/files/a/../b", { name: "must not be a dot segment" }],
    ["/v5/files/a/%2E./b", { name: "must not be a dot segment" }],
    ["/v1/every/count/x", { count: "must be an integer from -2147483648 to 2147483647" }],
    ["/v1/every/count/1?count=1", { count: "is given by the path" }],
  ])("%s", (target, expected) => {
    expect(faults(() => call("GET", target))).toEqual(expected);
  });

  test("the body may repeat what the path says, and nothing else", () => {
    expect(call("PATCH", "/v3/messages/1", { message_id: "1" })).toBe('ReplaceMessage {"messageId":"1"}');
    expect(call("PATCH", "/v3/messages/1", { messageId: null })).toBe('ReplaceMessage {"messageId":"1"}');
    expect(faults(() => call("PATCH", "/v3/messages/1", { messageId: "2" }))).toEqual({
      message_id: "must be left out or the same as in the path",
    });
  });
});

describe("update mask", () => {
  const mask = (target: string, body: unknown) =>
    JSON.parse(call("PATCH", target, body).replace(/^\w+ /, "")).updateMask;

  test("the body's own names are the mask; what the path and the etag say is not", () => {
    const body = { text: "a", intValue: 5, long_value: "7", child: { yes: true }, etag: "x" };
    expect(mask("/v1/every/a", body)).toBe("intValue,longValue,child.yes");
    expect(mask("/v1/every/a", {})).toBe("");
  });

  test("null clears: it is in the mask and unset", () => {
    expect(call("PATCH", "/v1/every/a", { child: null, names: null, at: null })).toBe(
      'PatchEvery {"every":{"text":"a"},"updateMask":"child,names,at"}',
    );
  });

  test("names within a message are merged, what has a JSON of its own is replaced", () => {
    const child = { child: { longValue: "7", yes: null }, text: "a" };
    expect(mask("/v1/every/a", { child, counts: { a: 1 }, at: "2026-11-30T00:00:00Z" })).toBe(
      "child.child.longValue,child.child.yes,child.text,counts,at",
    );
    expect(mask("/v1/every/a", { child: {}, children: [{ yes: true }] })).toBe("child,children");
  });

  test("a mask of the caller's is left as it is", () => {
    expect(mask("/v1/every/a?updateMask=intValue", { yes: true })).toBe("intValue");
    expect(mask("/v1/every/a?update_mask=int_value,yes", { yes: true })).toBe("intValue,yes");
  });
});

describe("clientField", () => {
  const field = (method: string, target: string, path: string) => {
    const route = transcoder.route(method, target);
    if (route.kind !== "found") throw new Error("no route");
    return clientField(route.binding, path);
  };

  test.each([
    ["PUT", "/v1/every/a", "every.long_value", "longValue"],
    ["PUT", "/v1/every/a", "every.child.long_value", "child.longValue"],
    ["PUT", "/v1/every/a", "every.children[2].long_value", "children[2].longValue"],
    ["PUT", "/v1/every/a", 'every.counts["a.b"]', 'counts["a.b"]'],
    ["PUT", "/v1/every/a", "every.by_number[7].long_value", "byNumber[7].longValue"],
    ["PUT", "/v1/every/a", "every.un_known", "un_known"],
    ["PUT", "/v1/every/a", "every", ""],
    ["PUT", "/v1/every/a", "dry_run", "dryRun"],
    ["GET", "/v2/messages/1", "message_id", "messageId"],
    ["PATCH", "/v3/messages/1", "message_id", "messageId"],
    ["PATCH", "/v3/messages/1", "", ""],
  ])("%s %s: %s is %s", (method, target, path, name) => {
    expect(field(method, target, path)).toBe(name);
  });
});
