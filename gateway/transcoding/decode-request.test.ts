import { type JsonValue, toJson } from "@bufbuild/protobuf";
import { describe, expect, test } from "vitest";
import { TranscodingError } from "./errors.ts";
import { compileTestProtos } from "./testdata/descriptors.ts";
import { Transcoder } from "./transcoder.ts";

const transcoder = new Transcoder(compileTestProtos().service.methods);

function decode(method: string, target: string, body?: Uint8Array): JsonValue {
  const [path = "", query = ""] = target.split("?");
  const route = transcoder.route(method, path);
  if (route.kind !== "found") throw new Error(`no route for ${path}`);
  return toJson(route.binding.method.input, transcoder.decode(route, query, body));
}

const query = (text: string) => decode("GET", `/v1/every?${text}`);
const body = (json: string | Uint8Array) => decode("PUT", "/v1/every/a", Buffer.from(json));

function faults(run: () => unknown): [string, string][] | "no error" {
  try {
    run();
  } catch (error) {
    if (!(error instanceof TranscodingError)) throw error;
    return error.faults.map(({ field, description }) => [field, description]);
  }
  return "no error";
}

describe("query parameters", () => {
  test.each([
    ["every.text=a%20b+c", { text: "a b c" }],
    ["every.text=", { every: {} }],
    ["every.yes=true", { yes: true }],
    ["every.raw=AQID", { raw: "AQID" }],
    ["every.raw=_-8", { raw: "/+8=" }],
    ["every.double_value=-1.5e3", { doubleValue: -1500 }],
    ["every.doubleValue=Infinity", { doubleValue: "Infinity" }],
    ["every.floatValue=.5", { floatValue: 0.5 }],
    ["every.int_value=-7", { intValue: -7 }],
    ["every.longValue=9223372036854775807", { longValue: "9223372036854775807" }],
    ["every.uintValue=4294967295", { uintValue: 4294967295 }],
    ["every.ulongValue=18446744073709551615", { ulongValue: "18446744073709551615" }],
    ["every.sintValue=-1&every.slongValue=-1", { sintValue: -1, slongValue: "-1" }],
    ["every.fixedValue=1&every.lfixedValue=2", { fixedValue: 1, lfixedValue: "2" }],
    ["every.sfixedValue=-1&every.slfixedValue=-2", { sfixedValue: -1, slfixedValue: "-2" }],
    ["every.colour=COLOUR_RED", { colour: "COLOUR_RED" }],
    ["every.colour=2", { colour: "COLOUR_BLUE" }],
    ["every.names=a&every.names=b", { names: ["a", "b"] }],
    ["every.numbers=1&every.numbers=-2", { numbers: [1, -2] }],
    ["every.colours=COLOUR_RED&every.colours=2", { colours: ["COLOUR_RED", "COLOUR_BLUE"] }],
    ["every.child.child.long_value=5", { child: { child: { longValue: "5" } } }],
    ["every.child.yes=true&every.child.text=x", { child: { text: "x", yes: true } }],
    ["every.right=3", { right: 3 }],
    ["every.maybe=0", { maybe: 0 }],
    ["every.at=2026-11-30T09:00:00.5%2B01:00", { at: "2026-11-30T08:00:00.500Z" }],
    ["every.lasting=1.5s", { lasting: "1.500s" }],
    ["every.mask=intValue,long_value", { mask: "intValue,longValue" }],
    ["every.boxed_int=0", { boxedInt: 0 }],
    ["every.boxedText=", { boxedText: "" }],
    ["every.boxedYes=false&every.boxedLong=5", { boxedYes: false, boxedLong: "5" }],
    ["every.times=2026-01-01T00:00:00Z", { times: ["2026-01-01T00:00:00Z"] }],
  ])("%s", (text, expected) => {
    expect(query(text)).toEqual("every" in expected ? expected : { every: expected });
  });

  test.each([
    ["nothing=1", "nothing", "is not a known field"],
    ["every.nothing=1", "every.nothing", "is not a known field"],
    ["every.text.more=1", "every.text.more", "is not a known field"],
    ["every.yes=1", "every.yes", "must be true or false"],
    ["every.intValue=", "every.int_value", "must be an integer from -2147483648 to 2147483647"],
    ["every.intValue=0x10", "every.int_value", "must be an integer from -2147483648 to 2147483647"],
    ["every.intValue=2147483648", "every.int_value", "must be an integer from -2147483648 to 2147483647"],
    ["every.uintValue=-1", "every.uint_value", "must be an integer from 0 to 4294967295"],
    ["every.doubleValue=abc", "every.double_value", "must be a number"],
    ["every.floatValue=1e39", "every.float_value", "must be a number"],
    ["every.raw=*", "every.raw", "must be base64"],
    ["every.colour=COLOUR_PINK", "every.colour", "must be one of COLOUR_UNSPECIFIED, COLOUR_RED, COLOUR_BLUE"],
    ["every.at=yesterday", "every.at", 'must be a time such as "2026-11-30T09:00:00Z"'],
    ["every.lasting=5", "every.lasting", 'must be a duration in seconds such as "1.5s"'],
    ["every.numbers=1&every.numbers=x", "every.numbers", "must be an integer from -2147483648 to 2147483647"],
    ["every.text=a&every.text=b", "every.text", "is given more than once"],
    ["every.longValue=1&every.long_value=1", "every.long_value", "is given more than once"],
    ["every.left=a&every.right=1", "every.right", "excludes another field of choice"],
    ["every.child=x", "every.child", "cannot be a query parameter"],
    ["every.children=x", "every.children", "cannot be a query parameter"],
    ["every.counts=x", "every.counts", "cannot be a query parameter"],
    ["every.shape=x", "every.shape", "cannot be a query parameter"],
    ["every.anything=x", "every.anything", "cannot be a query parameter"],
    ["every.text=%ff", "every.text", "must be percent-encoded UTF-8"],
    ["every.text=%4", "every.text", "must be percent-encoded UTF-8"],
    ["%ff=1", "", "the name of a query parameter is not percent-encoded UTF-8"],
  ])("%s is refused", (text, field, description) => {
    expect(faults(() => query(text))).toEqual([[field, description]]);
  });

  test("all faults are told at once", () => {
    expect(faults(() => query("a=1&every.yes=x&every.text=1"))).toEqual([
      ["a", "is not a known field"],
      ["every.yes", "must be true or false"],
    ]);
  });
});

const longInteger = "must be a 64-bit integer, as a text when it is beyond ±9007199254740991";

describe("JSON bodies", () => {
  test.each([
    ['{"longValue":"5","int_value":1e2,"raw":"-_8"}', { longValue: "5", intValue: 100, raw: "+/8=" }],
    [
      '{"colour":1,"colours":["COLOUR_BLUE",0]}',
      { colour: "COLOUR_RED", colours: ["COLOUR_BLUE", "COLOUR_UNSPECIFIED"] },
    ],
    ['{"child":null,"names":null,"at":null,"intValue":null,"left":null,"right":1}', { right: 1 }],
    ['{"counts":{"a":1,"__proto__":2}}', { counts: JSON.parse('{"a":1,"__proto__":2}') }],
    ['{"byNumber":{"7":{"yes":true}}}', { byNumber: { 7: { yes: true } } }],
    [
      '{"shape":{"a":[1,null,{"b":"c"}]},"anything":null,"several":[1]}',
      { shape: { a: [1, null, { b: "c" }] }, anything: null, several: [1] },
    ],
    ['{"mask":"intValue,child.text"}', { mask: "intValue,child.text" }],
  ])("%s", (json, expected) => {
    expect(body(json)).toEqual({ every: { text: "a", ...expected } });
  });

  test.each([
    ['{"nothing":1}', "every.nothing", "is not a known field"],
    ['{"__proto__":{"text":"x"}}', "every.__proto__", "is not a known field"],
    ['{"constructor":1}', "every.constructor", "is not a known field"],
    ['{"child":{"child":{"x":1}}}', "every.child.child.x", "is not a known field"],
    ['{"children":[{},{"y":1}]}', "every.children[1].y", "is not a known field"],
    ['{"byNumber":{"7":{"z":1}}}', 'every.by_number["7"].z', "is not a known field"],
    ['{"[ext]":1}', "every.[ext]", "is not a known field"],
    ['{"intValue":"x"}', "every.int_value", "must be an integer from -2147483648 to 2147483647"],
    ['{"intValue":1.5}', "every.int_value", "must be an integer from -2147483648 to 2147483647"],
    ['{"uintValue":-1}', "every.uint_value", "must be an integer from 0 to 4294967295"],
    ['{"yes":"true"}', "every.yes", "must be true or false"],
    ['{"names":"a"}', "every.names", "must be an array"],
    ['{"names":["a",5]}', "every.names[1]", "must be a text"],
    ['{"names":["a",null]}', "every.names[1]", "must not be null"],
    ['{"children":[null]}', "every.children[0]", "must not be null"],
    ['{"children":{}}', "every.children", "must be an array"],
    ['{"counts":[]}', "every.counts", "must be an object"],
    [
      '{"counts":{"a":"x"}}',
      'every.counts["a"]',
      "must be an integer from -2147483648 to 2147483647, under a key of its type",
    ],
    ['{"byNumber":{"x":{}}}', 'every.by_number["x"]', "has a key of another type"],
    ['{"child":"x"}', "every.child", "must be an object"],
    ['{"child":[]}', "every.child", "must be an object"],
    ['{"child":{"at":5}}', "every.child.at", 'must be a time such as "2026-11-30T09:00:00Z"'],
    ['{"times":["x"]}', "every.times[0]", 'must be a time such as "2026-11-30T09:00:00Z"'],
    ['{"boxedInt":"x"}', "every.boxed_int", "must be an integer from -2147483648 to 2147483647"],
    ['{"several":1}', "every.several", "must be an array"],
    ['{"mask":"int_value"}', "every.mask", 'must be field names between commas such as "title,due"'],
    ['{"colour":"red"}', "every.colour", "must be one of COLOUR_UNSPECIFIED, COLOUR_RED, COLOUR_BLUE"],
    ['{"names":["\\ud800"]}', "every.names[0]", "must be a text"],
    ['{"etag":"\\udc00"}', "every.etag", "must be a text"],
    ['{"longValue":9007199254740993}', "every.long_value", longInteger],
    [
      '{"ulongValue":9007199254740992}',
      "every.ulong_value",
      "must be an unsigned 64-bit integer, as a text when it is above 9007199254740991",
    ],
    ['{"child":{"children":[{"boxedLong":-9007199254740993}]}}', "every.child.children[0].boxed_long", longInteger],
    ['{"lasting":"5s and more"}', "every.lasting", 'must be a duration in seconds such as "1.5s"'],
    ['{"lasting":"0.1234567890s"}', "every.lasting", 'must be a duration in seconds such as "1.5s"'],
    ['{"byNumber":{"7":{"longValue":1e17}}}', 'every.by_number["7"].long_value', longInteger],
    ['{"byNumber":{"7":{},"07":{}}}', "every.by_number", "has a key twice"],
    ['{"left":"a","right":1}', "every.right", "excludes another field of choice"],
    ['{"longValue":1,"long_value":1}', "every.long_value", "is given more than once"],
    ['{"intValue":1,"intValue":1}', "every.int_value", "is given more than once"],
    ['{"child":{"names":["a"],"names":["b"]}}', "every.child.names", "is given more than once"],
    ['{"shape":{"a":{"b":1,"b":2}}}', "every.shape.a.b", "is given more than once"],
    ['{"text":"b"}', "every.text", "must be left out or the same as in the path"],
    ["null", "every", "must be an object"],
    ["[]", "every", "must be an object"],
    ['"x"', "every", "must be an object"],
    ["", "no error", ""],
    ['{"intValue":', "every.int_value", "the JSON ends too early (line 1, column 13)"],
    ['{"child":{\n "yes":tru}}', "every.child.yes", "is not well-formed JSON (line 2, column 8)"],
    ["{} {}", "every", "is not well-formed JSON (line 1, column 4)"],
  ])("%s", (json, field, description) => {
    const expected = field === "no error" ? field : [[field, description]];
    expect(faults(() => body(json))).toEqual(expected);
  });

  test("several faults at once, at most 20", () => {
    expect(faults(() => body('{"yes":1,"x":1,"child":{"yes":1}}'))).toEqual([
      ["every.yes", "must be true or false"],
      ["every.x", "is not a known field"],
      ["every.child.yes", "must be true or false"],
    ]);
    expect(faults(() => body(`{"numbers":[${Array(50).fill('"x"')}]}`))).toHaveLength(20);
  });

  test("one wrong item among very many is found", () => {
    const items = Array(300_000).fill('""');
    items[299_998] = "5";
    expect(faults(() => body(`{"names":[${items}]}`))).toEqual([["every.names[299998]", "must be a text"]]);
  });

  test("bytes that are not UTF-8 name their field", () => {
    const json = Buffer.concat([
      Buffer.from('{"child":{"names":["ok","caf\u00e9 '),
      Buffer.from([0xc3, 0x28]),
      Buffer.from('"]}}'),
    ]);
    expect(faults(() => body(json))).toEqual([["every.child.names[1]", "is not UTF-8"]]);
    expect(faults(() => body(Buffer.from([0x7b, 0xff])))).toEqual([["every", "is not UTF-8"]]);
  });

  test("depth is bounded", () => {
    const nest = (depth: number) => `${'{"child":'.repeat(depth)}{}${"}".repeat(depth)}`;
    expect(faults(() => body(nest(90)))).toBe("no error");
    expect(faults(() => body(nest(5000)))).toEqual([[`every${".child".repeat(99)}`, "is nested too deeply"]]);
    const lists = "[".repeat(200_000) + "]".repeat(200_000);
    expect(faults(() => body(`{"text":${lists}}`))).toEqual([
      ["every.text", "must be left out or the same as in the path"],
    ]);
    expect(faults(() => body(`{"etag":${lists}}`))).toEqual([["every.etag", "must be a text"]]);
    expect(faults(() => body(`{"anything":${lists}}`))).toEqual([["every.anything", "must be an object"]]);
  });

  test("a long name is cut in the answer", () => {
    const [fault] = faults(() => body(JSON.stringify({ ["x".repeat(5000)]: 1 })));
    expect(fault?.[0]).toBe(`every.${"x".repeat(80)}…`);
  });

  test("a call without a body refuses one", () => {
    expect(faults(() => decode("GET", "/v1/every", Buffer.from("{}")))).toEqual([["", "the request takes no body"]]);
  });
});
