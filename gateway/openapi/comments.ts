import type { DescEnum, DescEnumValue, DescField, DescMessage, DescMethod, DescService } from "@bufbuild/protobuf";
import comments from "#gen/comments.json" with { type: "json" };

const texts = new Map(Object.entries(comments as Record<string, string>));
// A sentence ends where the next one begins, so that "e.g. this" and "3.1" end none.
const sentenceEnd = /\.(?=\s+[A-Z(]|$)/;

type Described = DescService | DescMethod | DescMessage | DescField | DescEnum | DescEnumValue;

/** What the proto file says about an element, as one line; undefined when it says nothing. */
export function commentOf(desc: Described): string | undefined {
  const name = "typeName" in desc ? desc.typeName : `${desc.parent.typeName}.${desc.name}`;
  return texts.get(name)?.replace(/\s+/g, " ");
}

/** The first sentence of a text, without its full stop. */
export function firstSentence(text: string): string {
  const end = text.search(sentenceEnd);
  return end < 0 ? text : text.slice(0, end);
}

/** The texts in quotation marks: what the comments give as examples. */
export function quotedIn(text: string): string[] {
  return [...text.matchAll(/"([^"]+)"/g)].map((match) => match[1] as string);
}
