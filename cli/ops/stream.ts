import type { ServerResponse } from "node:http";
import { securityHeaders } from "#kit/security-headers.ts";
import { answerJson } from "./http.ts";
import type { Picture } from "./picture.ts";
import type { Watch } from "./watch.ts";

const most = 16;

/** Pictures as server-sent events, one a second, to everybody who looks. */
export class PictureStreams {
  readonly #watch: Watch;
  #count = 0;
  #text: { picture: Picture; event: string } | undefined;

  constructor(watch: Watch) {
    this.#watch = watch;
  }

  add(response: ServerResponse): void {
    if (this.#count >= most) {
      answerJson(response, 503, { error: `at most ${most} look at a time` });
      return;
    }
    this.#count++;
    response.writeHead(200, { ...securityHeaders, "content-type": "text/event-stream; charset=utf-8" });
    response.write("retry: 1000\n\n");
    const end = this.#watch.look((picture) => {
      // Who reads too slowly misses pictures, and costs no memory.
      if (!response.writableNeedDrain) response.write(this.#eventOf(picture));
    });
    response.once("close", () => {
      this.#count--;
      end();
    });
  }

  /** Written once for all who look. */
  #eventOf(picture: Picture): string {
    if (this.#text?.picture !== picture) this.#text = { picture, event: `data: ${JSON.stringify(picture)}\n\n` };
    return this.#text.event;
  }
}
