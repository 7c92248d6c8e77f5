import { Code, ConnectError } from "@connectrpc/connect";

/** Tokens of a signed-in person, as Login, Register and RefreshToken answer them. */
export interface Tokens {
  accessToken: string;
  refreshToken: string;
  /** Seconds until the access token expires, counted from the answer. */
  expiresIn: number;
  /** The same as a point in time (milliseconds since 1970): tokens that are kept for later carry it. */
  expireTime?: number;
}

export interface SessionOptions {
  refresh: (refreshToken: string) => Promise<Tokens>;
  /** Told about new tokens, and about undefined when the person is signed out. */
  onTokens?: (tokens: Tokens | undefined) => void;
  /** The tokens that are kept where others, who share them, may have put newer ones. */
  readTokens?: () => Tokens | undefined;
}

/** Keeps a person signed in: hands out an access token that is still good, and refreshes it once for all callers. */
export class Session {
  readonly #options: SessionOptions;
  #tokens: Tokens | undefined;
  #refreshing: Promise<void> | undefined;

  constructor(options: SessionOptions, tokens?: Tokens) {
    this.#options = options;
    this.#tokens = tokens && stamped(tokens);
  }

  get tokens(): Tokens | undefined {
    return this.#tokens;
  }

  set(tokens: Tokens | undefined): void {
    this.#tokens = tokens && stamped(tokens);
    this.#options.onTokens?.(this.#tokens);
  }

  /** The access token to send, refreshed first when it is about to expire; undefined when nobody is signed in. */
  async accessToken(): Promise<string | undefined> {
    if (this.#tokens !== undefined && isStale(this.#tokens)) await this.refresh(this.#tokens.accessToken);
    return this.#tokens?.accessToken;
  }

  /** Trades the refresh token, unless somebody did since `stale` was handed out. Signs out when it is refused. */
  async refresh(stale: string): Promise<void> {
    if (this.#tokens?.accessToken !== stale) return;
    const kept = this.#options.readTokens?.();
    if (kept !== undefined && kept.refreshToken !== this.#tokens.refreshToken) {
      this.#tokens = stamped(kept);
      if (!isStale(this.#tokens)) return;
    }
    this.#refreshing ??= this.#trade(this.#tokens).finally(() => {
      this.#refreshing = undefined;
    });
    await this.#refreshing;
  }

  async #trade(old: Tokens): Promise<void> {
    try {
      const fresh = await this.#options.refresh(old.refreshToken);
      // Who signed in or out in the meantime has the last word.
      if (this.#tokens === old) this.set(fresh);
    } catch (error) {
      if (ConnectError.from(error).code === Code.Unauthenticated && this.#tokens === old) this.set(undefined);
      throw error;
    }
  }
}

function stamped({ accessToken, refreshToken, expiresIn, expireTime }: Tokens): Tokens {
  return { accessToken, refreshToken, expiresIn, expireTime: expireTime ?? Date.now() + expiresIn * 1000 };
}

/** A token that dies on the way is of no use: it counts as expired a little early. */
function isStale({ expiresIn, expireTime = 0 }: Tokens): boolean {
  return Date.now() >= expireTime - Math.min(30, expiresIn / 10) * 1000;
}
