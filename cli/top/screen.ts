import type { ReadStream, WriteStream } from "node:tty";

const csi = "\u001b[";
const enter = `${csi}?1049h${csi}?25l${csi}?7l`;
const leave = `${csi}?7h${csi}?25h${csi}?1049l`;

export interface ScreenEvents {
  /** q, Escape or Ctrl-C. */
  quit(): void;
  /** The size has changed: draw again. */
  resized(): void;
}

/** A terminal's second screen: what was on the first is there again afterwards, however this ends. */
export class Screen {
  readonly #output: WriteStream;
  readonly #input: ReadStream;
  readonly #events: ScreenEvents;
  #lines: readonly string[] = [];
  #top = 0;
  #isOpen = false;

  constructor(output: WriteStream, input: ReadStream, events: ScreenEvents) {
    this.#output = output;
    this.#input = input;
    this.#events = events;
  }

  get width(): number {
    return this.#output.columns || 80;
  }

  open(): void {
    this.#isOpen = true;
    this.#output.write(enter);
    this.#output.on("resize", this.#onResize);
    process.once("exit", this.#onExit);
    if (!this.#input.isTTY) return;
    this.#input.setRawMode(true);
    this.#input.on("data", this.#onKeys);
    this.#input.resume();
  }

  close(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#output.off("resize", this.#onResize);
    process.off("exit", this.#onExit);
    this.#output.write(leave);
    if (!this.#input.isTTY) return;
    this.#input.off("data", this.#onKeys);
    this.#input.setRawMode(false);
    this.#input.pause();
  }

  /** Shows the lines, or as many as there is room for from where one has scrolled to. */
  show(lines: readonly string[]): void {
    this.#lines = lines;
    this.#draw();
  }

  /** All in one write, line over line: nothing is cleared that is not written anew. */
  #draw(): void {
    if (!this.#isOpen) return;
    const height = this.#output.rows || 24;
    this.#top = Math.max(0, Math.min(this.#top, this.#lines.length - height));
    const shown = this.#lines.slice(this.#top, this.#top + height);
    const text = shown.map((line) => `${line}${csi}0m${csi}K`).join("\r\n");
    this.#output.write(`${csi}H${text}${shown.length < height ? `${csi}0J` : ""}`);
  }

  readonly #onResize = () => {
    this.#output.write(`${csi}2J`);
    this.#events.resized();
  };

  readonly #onExit = () => this.close();

  readonly #onKeys = (keys: Buffer) => {
    const text = keys.toString();
    const height = this.#output.rows || 24;
    const steps: Record<string, number> = {
      [`${csi}A`]: -1,
      k: -1,
      [`${csi}B`]: 1,
      j: 1,
      [`${csi}5~`]: -height,
      [`${csi}6~`]: height,
    };
    if (text === "q" || text === "\u0003" || text === "\u001b") return this.#events.quit();
    const step = steps[text];
    if (step === undefined) return;
    this.#top += step;
    this.#draw();
  };
}
