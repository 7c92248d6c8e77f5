import { type Position, positionToHex, unknownPosition } from "#kit/db/position.ts";

/** The header by which a write says where it is, and by which a read says what it must show. */
export const consistencyHeader = "consistency-token";

const tokens = /^[a-z]{1,20}=[0-9a-f]{16}(?: ?, ?[a-z]{1,20}=[0-9a-f]{16}){0,9}$/;

/** Whether it is what writes answer with: one token, or up to ten with commas between them. */
export function areTokens(header: string): boolean {
  return tokens.test(header);
}

/** `task=000000001a2b3c4d`: how far the log of the service's database was after the write. */
export function tokenOf(service: string, position: Position): string {
  return `${service}=${positionToHex(position)}`;
}

/** What a header with the tokens of some writes asks of one service; 0 when nothing. One that cannot be read asks for everything. */
export function positionFor(service: string, header: string | undefined): Position {
  if (header === undefined) return 0n;
  if (!areTokens(header)) return unknownPosition;
  let newest = 0n;
  for (const token of header.split(",")) {
    const [name, digits] = token.trim().split("=");
    const position = BigInt(`0x${digits}`);
    if (name === service && position > newest) newest = position;
  }
  return newest;
}
