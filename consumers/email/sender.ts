/** Whom mails come from. */
export interface Sender {
  address: string;
  name: string;
}

const plain = /^[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]+@[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?$/;

/** Whether a text is one mail address that can stand in a header and in an envelope as it is. */
export function isAddress(text: string): boolean {
  return text.length <= 254 && plain.test(text);
}

/** Reads "no-reply@example.org" or "Taskmesh <no-reply@example.org>"; undefined when it is neither. */
export function parseSender(text: string): Sender | undefined {
  const named = /^([^<>\p{Cc}]*)<([^<>]+)>$/u.exec(text.trim());
  const address = named?.[2] ?? text.trim();
  return isAddress(address) ? { address, name: named?.[1]?.trim().replace(/^"(.*)"$/, "$1") ?? "" } : undefined;
}
