/**
 * The key under which an address is compared: canonical composition (NFC), then case folded letter by letter, so that
 * no letter's fold depends on its neighbours (a final sigma). Nothing is trimmed: blanks make another address.
 * What no database can store, and so no account have, is replaced.
 */
export function emailKey(email: string): string {
  let folded = "";
  for (const letter of email.normalize("NFC")) folded += letter.toUpperCase().toLowerCase();
  return folded.normalize("NFC").toWellFormed().replaceAll("\0", "\uFFFD");
}

const maxNameLength = 100;

/** The name to show until the person chooses one: the part of the address before the @. */
export function nameFromEmail(email: string): string {
  const local = email.slice(0, email.lastIndexOf("@"));
  return [...local].slice(0, maxNameLength).join("");
}
