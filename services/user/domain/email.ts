/** The key under which an address is compared: composed (NFC) and case folded letter by letter, never trimmed. */
export function emailKey(email: string): string {
  let folded = "";
  for (const letter of email.normalize("NFC")) folded += letter.toUpperCase().toLowerCase();
  return folded.normalize("NFC");
}
