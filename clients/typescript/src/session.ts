/** Tokens of a signed-in person, as Login, Register and RefreshToken answer them. */
export interface Tokens {
  accessToken: string;
  refreshToken: string;
  /** Seconds until the access token expires, counted from the answer. */
  expiresIn: number;
}

/** Keeps a person signed in: hands out an access token that is still good, and refreshes it once for all callers. */
export class Session {
  readonly #refresh: (refreshToken: string) => Promise<Tokens>;
  readonly #onChange: (tokens: Tokens | undefined) => void;
  #tokens: Tokens | undefined;
  #expireTime = 0;
  #refreshing: Promise<void> | undefined;

  constructor(refresh: (refreshToken: string) => Promise<Tokens>, onChange: (tokens: Tokens | undefined) => void) {
    this.#refresh = refresh;
    this.#onChange = onChange;
  }

  get tokens(): Tokens | undefined {
    return this.#tokens;
  }

  set(tokens: Tokens | undefined): void {
    this.#tokens = tokens;
    // A token that dies on the way is of no use: it counts as expired a little early.
    this.#expireTime =
      tokens === undefined ? 0 : Date.now() + (tokens.expiresIn - Math.min(30, tokens.expiresIn / 10)) * 1000;
    this.#onChange(tokens);
  }

  /** The access token to send, refreshed first when it is about to expire; undefined when nobody is signed in. */
  async accessToken(): Promise<string | undefined> {
    if (this.#tokens !== undefined && Date.now() >= this.#expireTime) await this.refresh(this.#tokens.accessToken);
    return this.#tokens?.accessToken;
  }

  /** Trades the refresh token, unless somebody did since `stale` was handed out. */
  async refresh(stale: string): Promise<void> {
    if (this.#tokens === undefined || this.#tokens.accessToken !== stale) return;
    const { refreshToken } = this.#tokens;
    this.#refreshing ??= this.#refresh(refreshToken)
      .then((tokens) => this.set(tokens))
      .finally(() => {
        this.#refreshing = undefined;
      });
    await this.#refreshing;
  }
}
