import { invalidArgument } from "#kit/errors.ts";

const excerptLength = 200;

/** Throws INVALID_ARGUMENT for a comment that says nothing. */
export function mustSaySomething(text: string): void {
  if (text.trim() === "") throw invalidArgument("text", "a comment needs a text");
}

/** The first 200 characters. Never splits one that takes two units of UTF-16. */
export function excerptOf(text: string): string {
  return [...text.slice(0, excerptLength * 2)].slice(0, excerptLength).join("");
}
