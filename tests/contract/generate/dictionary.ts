import type { DescField } from "@bufbuild/protobuf";
import comments from "#gen/comments.json" with { type: "json" };

const texts = new Map(Object.entries(comments as Record<string, string>));

/** What the proto file quotes as examples of a field: "Europe/Berlin", "priority desc, due". */
export function examplesOf(field: DescField): string[] {
  const comment = texts.get(`${field.parent.typeName}.${field.name}`) ?? "";
  return [...comment.matchAll(/"([^"]+)"/g)].map(([, quoted]) => quoted as string);
}
