import { acceptedQuality } from "./accept.ts";

/** How the messages of a stream, and its end, are written one after the other. JSON texts are without line breaks. */
export interface StreamFormat {
  readonly mediaType: string;
  /** Comes before everything. */
  readonly begin: string;
  /** `cursor` says where to go on behind the message, where the format has a place for it. */
  message(json: string, cursor?: string): string;
  /** The last thing of a stream that failed. `retryMs`: when to come back, if that is known. */
  error(json: string, retryMs?: number): string;
  /** The last thing of a stream that came to its end. */
  readonly end: string;
  /** A sign of life that no reader takes for a message. */
  readonly silence: string | undefined;
}

/** A line for each message: `{"result":…}`, and as the last one `{"error":…}` when the stream failed. */
export function envelope(kind: "result" | "error", json: string): string {
  return `{"${kind}":${json}}`;
}

const lines = (mediaType: string): StreamFormat => ({
  mediaType,
  begin: "",
  message: (json) => `${envelope("result", json)}\n`,
  error: (json) => `${envelope("error", json)}\n`,
  end: "",
  silence: undefined,
});

// A line break or NUL would end the field, or make the browser ignore it.
const unfit = /[\r\n\0]/;
const reconnectMs = 1000;

/** Server-sent events (WHATWG HTML, section 9.2). */
const events: StreamFormat = {
  mediaType: "text/event-stream",
  begin: `retry: ${reconnectMs}\n\n`,
  message: (json, cursor) => `${cursor && !unfit.test(cursor) ? `id: ${cursor}\n` : ""}data: ${json}\n\n`,
  error: (json, retryMs) => {
    const retry = retryMs === undefined ? "" : `retry: ${Math.max(reconnectMs, Math.ceil(retryMs))}\n`;
    return `${retry}event: error\ndata: ${json}\n\n`;
  },
  end: "event: end\ndata: {}\n\n",
  silence: ": \n\n",
};

/** In the order of preference. */
export const streamFormats: readonly StreamFormat[] = [
  lines("application/x-ndjson"),
  events,
  lines("application/jsonl"),
  lines("application/ndjson"),
];

/** The format that an Accept field wants most (RFC 9110, section 12.5.1); undefined when it wants none of them. */
export function chooseStreamFormat(accept: string | undefined): StreamFormat | undefined {
  const wanted = streamFormats.map((format) => ({ format, quality: acceptedQuality(accept, format.mediaType) }));
  const [best] = wanted.toSorted((a, b) => b.quality - a.quality);
  return best && best.quality > 0 ? best.format : undefined;
}
