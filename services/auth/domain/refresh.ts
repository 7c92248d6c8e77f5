export interface PresentedToken {
  expireTime: Date;
  /** When it was traded for its successor; undefined while it has not been. */
  usedTime: Date | undefined;
}

export interface TokenSession {
  expireTime: Date;
  revokedTime: Date | undefined;
}

/**
 * rotate: first use, make the successor · replay: used just now, answer with the successor that was made then ·
 * reuse: used too long ago, somebody else has a copy · refuse: no longer good for anything.
 */
export type RefreshDecision = "rotate" | "replay" | "reuse" | "refuse";

/**
 * What a presented refresh token is good for. The grace counts from the first use and is never renewed; a `usedTime`
 * ahead of `now` is one that came in while this call waited for the row.
 */
export function decideRefresh(
  token: PresentedToken,
  session: TokenSession,
  { now, graceMs }: { now: Date; graceMs: number },
): RefreshDecision {
  if (session.revokedTime !== undefined || session.expireTime <= now) return "refuse";
  if (token.usedTime !== undefined) {
    return now.getTime() - token.usedTime.getTime() <= graceMs ? "replay" : "reuse";
  }
  return token.expireTime <= now ? "refuse" : "rotate";
}
