import { messageOf } from "../user-error.ts";
import { parseMetrics, type Sample } from "./parse.ts";

/** What a page of metrics said, and when, in milliseconds of a clock that never leaps. */
export interface Reading {
  time: number;
  samples: readonly Sample[];
}

export interface Scrape extends Reading {
  url: string;
  /** Why there is nothing: one line. */
  error?: string;
}

export interface ScrapeOptions {
  /** How long one page may take, in milliseconds. */
  timeoutMs?: number;
  signal?: AbortSignal;
}

/** Reads many pages side by side. One that is away or late costs its own samples only; the answer has the order of the URLs. */
export function scrape(urls: readonly string[], options: ScrapeOptions = {}): Promise<Scrape[]> {
  return Promise.all(urls.map((url) => scrapeOne(url, options)));
}

async function scrapeOne(url: string, { timeoutMs = 900, signal }: ScrapeOptions): Promise<Scrape> {
  const limit = AbortSignal.timeout(timeoutMs);
  try {
    const response = await fetch(url, {
      // A kept connection would still reach an Envoy that has handed over.
      headers: { connection: "close" },
      signal: signal ? AbortSignal.any([signal, limit]) : limit,
    });
    const text = await response.text();
    if (!response.ok) return { url, time: performance.now(), samples: [], error: `answered ${response.status}` };
    return { url, time: performance.now(), samples: parseMetrics(text) };
  } catch (error) {
    const message = limit.aborted ? `no answer within ${timeoutMs} ms` : messageOf(error);
    return { url, time: performance.now(), samples: [], error: message };
  }
}
