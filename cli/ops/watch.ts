import type { GroupLag } from "../lag/read-lag.ts";
import { messageOf } from "../user-error.ts";
import { edgesOf, groupsSeen, methodsOf } from "./edges.ts";
import { groupsOf } from "./groups.ts";
import type { Picture } from "./picture.ts";
import { ReadingHistory, type Readings } from "./readings.ts";
import { instancesOf, leadersOf, limitsOf, placesOf, unhealthyClusters } from "./rows.ts";
import type { LagSource, Source } from "./source.ts";

export interface WatchOptions {
  source: Source;
  /** Opened with the first look, closed with the last. */
  openLag: (brokers: string[]) => LagSource;
  everyMs?: number;
  /** Over how long rates are taken. */
  spanMs?: number;
}

type See = (picture: Picture) => void;

/** How old an answer of Kafka may be before the picture says that Kafka is silent. */
const lagLimitMs = 3000;

/** Takes a picture of the mesh each second while somebody looks, and does nothing else. */
export class Watch {
  readonly #options: Required<WatchOptions>;
  readonly #seers = new Set<See>();
  #round: Round | undefined;

  constructor(options: WatchOptions) {
    this.#options = { everyMs: 1000, spanMs: 5000, ...options };
  }

  get seers(): number {
    return this.#seers.size;
  }

  /** Every picture from now on; the latest at once if there is one. Answers with what ends it. */
  look(see: See): () => void {
    this.#seers.add(see);
    this.#round ??= new Round(this.#options, (picture) => {
      for (const seer of this.#seers) seer(picture);
    });
    if (this.#round.latest !== undefined) see(this.#round.latest);
    return () => {
      this.#seers.delete(see);
      if (this.#seers.size > 0) return;
      this.#round?.end();
      this.#round = undefined;
    };
  }

  /** One picture with rates, or without where nobody answers who has any. */
  async once(): Promise<Picture> {
    const { promise, resolve } = Promise.withResolvers<Picture>();
    let seen = 0;
    const end = this.look((picture) => {
      if (picture.spanMs > 0 || ++seen === 2) resolve(picture);
    });
    return promise.finally(end);
  }
}

/** From the first look to the last. */
class Round {
  readonly #options: Required<WatchOptions>;
  readonly #show: See;
  readonly #history: ReadingHistory;
  readonly #lag: LagSource;
  readonly #timer: NodeJS.Timeout;
  #reading = false;
  #asking = false;
  #lags: GroupLag[] = [];
  #lagTime = performance.now();
  #lagError = "no answer";
  #ended = false;
  latest: Picture | undefined;

  constructor(options: Required<WatchOptions>, show: See) {
    this.#options = options;
    this.#show = show;
    this.#history = new ReadingHistory(options.source, options.spanMs);
    this.#lag = options.openLag(options.source.brokers);
    this.#timer = setInterval(() => void this.#tick(), options.everyMs);
    void this.#tick();
  }

  end(): void {
    this.#ended = true;
    clearInterval(this.#timer);
    void this.#lag.close().catch(() => {});
  }

  async #tick(): Promise<void> {
    if (this.#reading) return;
    this.#reading = true;
    const asked = this.#ask();
    // The first picture has its lags; later ones do not wait for a Kafka that is slow.
    if (this.latest === undefined) await Promise.race([asked, this.#patience()]);
    try {
      const readings = await this.#history.read();
      if (this.#ended) return;
      this.latest = pictureOf(readings, this.#lags, this.#lagFault());
      this.#show(this.latest);
    } catch (error) {
      if (this.latest !== undefined) this.#show({ ...this.latest, faults: [messageOf(error)] });
    } finally {
      this.#reading = false;
    }
  }

  #patience(): Promise<void> {
    return new Promise((resolve) => setTimeout(resolve, this.#options.everyMs));
  }

  /** One question at a time: a Kafka that hangs is not asked again meanwhile. */
  async #ask(): Promise<void> {
    if (this.#asking) return;
    this.#asking = true;
    try {
      this.#lags = await this.#lag.read();
      this.#lagTime = performance.now();
    } catch (error) {
      this.#lagError = messageOf(error);
    } finally {
      this.#asking = false;
    }
  }

  #lagFault(): string[] {
    return performance.now() - this.#lagTime > lagLimitMs ? [`kafka: ${this.#lagError}`] : [];
  }
}

function pictureOf(readings: Readings, lags: readonly GroupLag[], faults: string[]): Picture {
  const groups = groupsOf(lags, readings);
  const names = [...new Set([...groups.map(({ group }) => group), ...groupsSeen(readings)])];
  return {
    time: new Date().toISOString(),
    spanMs: readings.spanMs,
    places: placesOf(readings, groups),
    edges: edgesOf(readings, names),
    methods: methodsOf(readings),
    instances: instancesOf(readings, groups),
    groups,
    leaders: leadersOf(readings),
    limits: limitsOf(readings),
    faults: [...readings.faults, ...unhealthyClusters(readings), ...faults],
  };
}
