/** Who calls: nobody known, an account of a tier, or a reader of the edge's own pages (health, documentation). */
export type CallerKind = "anonymous" | "standard" | "premium" | "page";
export type ClassName = "general" | "auth" | "urgent";

/** A token bucket: `points` at once, and as many again every `seconds`, little by little. */
export interface Limit {
  /** Part of the key in Redis, and the name of the quota policy that clients see. */
  readonly name: string;
  /** Whose calls share a bucket: those of an address, or those of a user or an API key. */
  readonly per: "address" | "caller";
  readonly callers: readonly CallerKind[];
  /** Calls of this class only; of every class unless given. */
  readonly only?: ClassName;
  readonly points: number;
  readonly seconds: number;
  /** How long a refusal lasts at least, in seconds. */
  readonly block?: number;
}

const tiers = ["standard", "premium"] as const;
const strangers = ["anonymous", "standard"] as const;
const everybody = ["anonymous", "standard", "page"] as const;

/**
 * The limits by RATE_LIMIT_PRESET. A premium caller is known well enough to be counted by itself, whatever address it
 * shares with others.
 */
export const presets = {
  standard: [
    { name: "general", per: "caller", callers: ["standard"], only: "general", points: 50, seconds: 1 },
    { name: "general-premium", per: "caller", callers: ["premium"], only: "general", points: 500, seconds: 1 },
    { name: "auth", per: "caller", callers: tiers, only: "auth", points: 10, seconds: 1 },
    { name: "urgent", per: "caller", callers: tiers, only: "urgent", points: 5, seconds: 1 },
    { name: "general-address", per: "address", callers: everybody, only: "general", points: 50, seconds: 1 },
    { name: "auth-address", per: "address", callers: strangers, only: "auth", points: 10, seconds: 1 },
    { name: "urgent-address", per: "address", callers: strangers, only: "urgent", points: 5, seconds: 1 },
    { name: "anonymous-minute", per: "address", callers: ["anonymous"], points: 100, seconds: 60 },
    { name: "anonymous-10-minutes", per: "address", callers: ["anonymous"], points: 500, seconds: 600 },
    { name: "anonymous-hour", per: "address", callers: ["anonymous"], points: 2000, seconds: 3600 },
  ],
  strict: [
    { name: "address", per: "address", callers: everybody, points: 100, seconds: 900, block: 60 },
    { name: "premium", per: "caller", callers: ["premium"], points: 1000, seconds: 900, block: 60 },
  ],
  off: [],
} as const satisfies Record<string, readonly Limit[]>;

export type PresetName = keyof typeof presets;
export const presetNames = Object.keys(presets) as PresetName[];
