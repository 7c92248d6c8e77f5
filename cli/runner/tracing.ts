import { messageOf } from "../user-error.ts";
import * as jaeger from "./parts/jaeger.ts";
import type { Program } from "./parts/program.ts";
import type { Settings } from "./settings.ts";

/** Jaeger's part in a start: the mesh never waits for it. */
export class Tracing {
  readonly #abort = new AbortController();
  #found: Program | undefined;
  #bringing: Promise<void> | undefined;
  /** One line for the operator about where traces go. */
  status = "";

  /** Looks for Jaeger, or for the means to build it. Answers whether anything will take traces in this run. */
  async prepare({ external, sampleRatio }: Pick<Settings, "external" | "sampleRatio">): Promise<boolean> {
    if (sampleRatio === 0) {
      this.status = "tracing is off";
      return false;
    }
    if (external.otlp !== undefined) {
      this.status = `traces go to ${external.otlp}`;
      return true;
    }
    this.#found = await jaeger.locate();
    const possible = this.#found !== undefined || (await jaeger.canBeBuilt());
    const outlook = this.#found ? "Jaeger is starting" : "Jaeger is being built; traces flow once it is there";
    this.status = possible ? outlook : jaeger.howToGetIt;
    return possible;
  }

  /** Builds Jaeger if need be and starts it by `run`, all in the background. */
  begin(run: (program: Program) => Promise<void>, say: (line: string) => void): void {
    this.#bringing = this.#bring(run, say);
  }

  /** Gives up the build, if there is one under way. */
  async stop(): Promise<void> {
    this.#abort.abort();
    await this.#bringing;
  }

  async #bring(run: (program: Program) => Promise<void>, say: (line: string) => void): Promise<void> {
    try {
      const program = this.#found ?? (await jaeger.fetch(say, this.#abort.signal));
      if (this.#abort.signal.aborted) return;
      await run(program);
      this.status = "traces are in Jaeger";
      if (this.#found === undefined) say("Jaeger is there now: traces flow");
    } catch (error) {
      if (this.#abort.signal.aborted) return;
      this.status = `there is no Jaeger: ${messageOf(error)}`;
      say(this.status);
    }
  }
}
