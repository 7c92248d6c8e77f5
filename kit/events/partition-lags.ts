import { observe } from "#observability/metrics.ts";

interface Place {
  topic: string;
  partition: number;
  /** Undefined until the first events of it have come. */
  end?: number;
  position?: number;
}

/** How far this member is in the partitions that are its own; one that is lost is not told of any more. */
export class PartitionLags {
  readonly #group: string;
  readonly #stop: (() => void)[];
  #places = new Map<string, Place>();

  constructor(group: string) {
    this.#group = group;
    this.#stop = [
      observe("taskmesh.consumer.assigned", (record) => this.#each((labels) => record(1, labels))),
      observe("taskmesh.consumer.lag", (record) =>
        this.#each((labels, { end = 0, position }) => {
          if (position !== undefined) record(Math.max(0, end - position), labels);
        }),
      ),
      observe("taskmesh.consumer.offset", (record) =>
        this.#each((labels, { position }) => {
          if (position !== undefined) record(position, labels);
        }),
      ),
    ];
  }

  /** Takes the place of the former assignment. */
  assigned(assignment: Readonly<Record<string, readonly number[]>>): void {
    const places = Object.entries(assignment).flatMap(([topic, partitions]) =>
      partitions.map((partition): [string, Place] => {
        const key = `${topic}/${partition}`;
        return [key, this.#places.get(key) ?? { topic, partition }];
      }),
    );
    this.#places = new Map(places);
  }

  /** Events have come: where they begin, and the offset that the next new event will get (the high watermark). */
  fetched(topic: string, partition: number, { first, end }: { first: number; end: number }): void {
    const place = this.#places.get(`${topic}/${partition}`);
    if (place !== undefined) Object.assign(place, { end, position: first });
  }

  /** The event at this offset is done. */
  handled(topic: string, partition: number, offset: number): void {
    const place = this.#places.get(`${topic}/${partition}`);
    if (place !== undefined) place.position = offset + 1;
  }

  close(): void {
    for (const stop of this.#stop) stop();
  }

  #each(tell: (labels: ReturnType<typeof labelsOf>, place: Place) => void): void {
    for (const place of this.#places.values()) tell(labelsOf(this.#group, place), place);
  }
}

function labelsOf(group: string, { topic, partition }: Place) {
  return {
    "messaging.consumer.group.name": group,
    "messaging.destination.name": topic,
    "messaging.destination.partition.id": partition,
  };
}
