import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as jaeger from "../../cli/runner/parts/jaeger.ts";
import { BenchMesh } from "./bench-mesh.ts";
import { during, progress } from "./progress.ts";

const sampledShare = 0.1;

/** Where the measures run: all that is started for one is stopped with its stage. */
export class Stage {
  /** For files that go away with the stage. */
  readonly folder = mkdtempSync(join(tmpdir(), "taskmesh-bench-"));
  readonly #opened = new AsyncDisposableStack();
  readonly #starting = new Set<Promise<unknown>>();
  readonly #abort = new AbortController();
  #isUsed = false;
  #closing: Promise<void> | undefined;

  constructor() {
    this.#opened.defer(() => rmSync(this.folder, { recursive: true, force: true }));
  }

  /** A whole light mesh that traces one request in ten, as a deployment does; none where there can be no Jaeger. */
  async traced(): Promise<BenchMesh> {
    const share = (await this.bringJaeger()) ? sampledShare : 0;
    return this.start("Starting a mesh", () => BenchMesh.start(share));
  }

  /** A whole light mesh in which nobody traces anything. */
  untraced(): Promise<BenchMesh> {
    return this.start("Starting a mesh without tracing", () => BenchMesh.start(0));
  }

  /** A stage for one measure: none of it stands by while another is taken. It is closed with this one at the latest. */
  part(): Stage {
    const part = new Stage();
    this.#opened.defer(() => part.close());
    return part;
  }

  /** Starts something that is stopped with the stage, in reverse order. */
  async start<T extends { stop(): Promise<unknown> }>(title: string, open: () => Promise<T>): Promise<T> {
    if (this.#closing !== undefined) throw new Error("the bench is stopping");
    this.#isUsed = true;
    const starting = during(title, open()).then((opened) => {
      this.#opened.defer(async () => void (await opened.stop()));
      return opened;
    });
    this.#starting.add(starting);
    try {
      return await starting;
    } finally {
      this.#starting.delete(starting);
    }
  }

  /** Stops everything, what is still starting too. Once, however often it is called. */
  close(): Promise<void> {
    this.#closing ??= this.#isUsed ? during("Stopping what was started", this.#close()) : this.#close();
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** Whether there is a Jaeger. Asked before there is a mesh, which would build it in the background, on the cores that are measured. */
  async bringJaeger(): Promise<boolean> {
    if ((await jaeger.locate()) !== undefined) return true;
    if (!(await jaeger.canBeBuilt())) return false;
    const building = jaeger.fetch(progress, this.#abort.signal).then(
      () => true,
      (error: Error) => {
        progress(`There is no Jaeger: ${error.message}`);
        return false;
      },
    );
    return during("Building Jaeger", building);
  }

  async #close(): Promise<void> {
    this.#abort.abort();
    await Promise.allSettled(this.#starting);
    await this.#opened.disposeAsync();
  }
}
