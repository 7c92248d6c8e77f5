import type { Hearer } from "./domain/audience.ts";
import type { Subject } from "./templates/notice.ts";

/** An event that somebody may be to hear of. */
export interface News {
  hearers: Hearer[];
  taskId: string | undefined;
  /** Who did it, if anybody is known to have. */
  actorId: string | undefined;
  /** What the texts speak of, but for the actor's name. */
  subject: Omit<Subject, "actor">;
}
