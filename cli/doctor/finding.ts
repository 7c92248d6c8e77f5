export interface Finding {
  check: string;
  ok: boolean;
  /** What was seen, with its figure. */
  finding: string;
  /** What to do about it, when it is not well. */
  advice?: string | undefined;
}
