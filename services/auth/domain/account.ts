/** What an account may ask of the mesh; an operator sets it. */
export type Tier = "standard" | "premium";

export interface Candidate {
  ownsEmail: boolean;
  createTime: Date;
}

/**
 * Which of the accounts with the right address and password is meant: the one that owns the address, else the oldest,
 * so that who signs in twice is twice the same.
 */
export function chooseAccount<C extends Candidate>(matching: C[]): C | undefined {
  return matching.toSorted(
    (a, b) => Number(b.ownsEmail) - Number(a.ownsEmail) || a.createTime.getTime() - b.createTime.getTime(),
  )[0];
}

/** The owner of an address is told at most this often that somebody tried to register it, lest the mails be a weapon. */
const attemptNoticeIntervalMs = 3_600_000;

/** Whether the owner is to be told now. */
export function isNoticeDue(lastNotice: Date | undefined, now: Date): boolean {
  return lastNotice === undefined || now.getTime() - lastNotice.getTime() >= attemptNoticeIntervalMs;
}
