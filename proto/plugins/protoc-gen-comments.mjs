#!/usr/bin/env node
// A plugin of protoc that writes what the proto files say about each element to comments.json, by the element's full name
// ("task.v1.Task.title"): descriptors at run time carry no comments. `skip=google` leaves out packages under that name.
import { readFileSync } from "node:fs";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import {
  CodeGeneratorRequestSchema,
  CodeGeneratorResponseSchema,
  EnumDescriptorProtoSchema as Enum,
  CodeGeneratorResponse_Feature as Feature,
  FileDescriptorProtoSchema as File,
  DescriptorProtoSchema as Message,
  ServiceDescriptorProtoSchema as Service,
} from "@bufbuild/protobuf/wkt";

// Which list of which descriptor the number in a location's path leads into, and as what.
const steps = new Map([
  [File, { 4: ["messageType", Message], 5: ["enumType", Enum], 6: ["service", Service] }],
  [Message, { 2: ["field"], 3: ["nestedType", Message], 4: ["enumType", Enum], 8: ["oneofDecl"] }],
  [Enum, { 2: ["value"] }],
  [Service, { 2: ["method"] }],
]);

const request = fromBinary(CodeGeneratorRequestSchema, readFileSync(0));
const skipped = new Set(
  request.parameter
    .split(",")
    .filter((option) => option.startsWith("skip="))
    .map((option) => option.slice(5)),
);

const comments = request.protoFile.filter((file) => !skipped.has(file.package.split(".")[0])).flatMap(commentsOf);
comments.sort(([a], [b]) => (a < b ? -1 : 1));
const content = `${JSON.stringify(Object.fromEntries(comments), undefined, 1)}\n`;
const response = create(CodeGeneratorResponseSchema, {
  supportedFeatures: BigInt(Feature.PROTO3_OPTIONAL),
  file: [{ name: "comments.json", content }],
});
process.stdout.write(toBinary(CodeGeneratorResponseSchema, response));

function commentsOf(file) {
  return (file.sourceCodeInfo?.location ?? []).flatMap(({ path, leadingComments, trailingComments }) => {
    const text = (leadingComments || trailingComments).replace(/^ /gm, "").trim();
    const names = text === "" ? undefined : namesAlong(file, path);
    return names === undefined ? [] : [[[file.package, ...names].join("."), text]];
  });
}

/** The names from the file down to what a location is of; undefined when that has no name, as options have none. */
function namesAlong(file, path) {
  const names = [];
  let schema = File;
  let element = file;
  for (let at = 0; at < path.length; at += 2) {
    const [list, next] = steps.get(schema)?.[path[at]] ?? [];
    element = list && element[list][path[at + 1]];
    if (element === undefined) return undefined;
    names.push(element.name);
    schema = next;
  }
  return names.length > 0 ? names : undefined;
}
