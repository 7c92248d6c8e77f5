import { create, createFileRegistry, type DescMessage, type MessageInitShape, setExtension } from "@bufbuild/protobuf";
import { protoCamelCase } from "@bufbuild/protobuf/reflect";
import {
  type FieldDescriptorProtoSchema,
  FieldOptionsSchema,
  FileDescriptorProtoSchema,
  file_google_protobuf_timestamp,
  FieldDescriptorProto_Label as Label,
  FieldDescriptorProto_Type as Type,
} from "@bufbuild/protobuf/wkt";
import { FieldRulesSchema, field as fieldRules, file_buf_validate_validate } from "#gen/buf/validate/validate_pb.js";

type FieldInit = MessageInitShape<typeof FieldDescriptorProtoSchema>;
type RulesInit = MessageInitShape<typeof FieldRulesSchema>;

export { Label, Type };

/** A field of a message that only a test has. */
export function testField(name: string, type: Type, rules?: RulesInit, more: FieldInit = {}): FieldInit {
  const field: FieldInit = { name, jsonName: protoCamelCase(name), type, label: Label.OPTIONAL, ...more };
  if (rules === undefined) return field;
  const options = create(FieldOptionsSchema);
  setExtension(options, fieldRules, create(FieldRulesSchema, rules));
  return { ...field, options };
}

/** A message of those fields, numbered in their order, beside an enum `.test.v1.Color` and itself `.test.v1.Subject`. */
export function testMessage(...fields: FieldInit[]): DescMessage {
  const file = create(FileDescriptorProtoSchema, {
    name: "test/v1/subject.proto",
    package: "test.v1",
    syntax: "proto3",
    dependency: ["buf/validate/validate.proto", "google/protobuf/timestamp.proto"],
    enumType: [
      {
        name: "Color",
        value: ["COLOR_UNSPECIFIED", "COLOR_RED", "COLOR_BLUE"].map((name, number) => ({ name, number })),
      },
    ],
    messageType: [
      {
        name: "Subject",
        field: fields.map((field, index) => ({ ...field, number: index + 1 })),
        oneofDecl: fields.some(({ oneofIndex }) => oneofIndex !== undefined) ? [{ name: "choice" }] : [],
      },
    ],
  });
  const known = [file_buf_validate_validate, file_google_protobuf_timestamp];
  const registry = createFileRegistry(file, (name) => known.find(({ proto }) => proto.name === name));
  return registry.getMessage("test.v1.Subject") as DescMessage;
}
