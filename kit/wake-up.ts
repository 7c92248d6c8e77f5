/** A wait that somebody else can end early. What happens while nobody waits ends the next wait at once. */
export class WakeUp {
  #pending = false;
  #end: (() => void) | undefined;

  notify(): void {
    this.#pending = true;
    this.#end?.();
  }

  /** Waits until notified, for at most the given milliseconds. Answers whether it was notified. */
  async wait(ms: number): Promise<boolean> {
    if (!this.#pending) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, ms);
        this.#end = () => {
          clearTimeout(timer);
          resolve();
        };
      });
      this.#end = undefined;
    }
    const notified = this.#pending;
    this.#pending = false;
    return notified;
  }
}
