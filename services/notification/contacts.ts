import type { TaskService } from "#gen/task/v1/task_service_pb.js";
import { invalidFields } from "#kit/errors.ts";
import type { Client } from "#kit/grpc/client.ts";
import type { CallContext } from "#kit/grpc/service.ts";

type Lists = Readonly<Record<string, readonly string[]>>;

/** Whom a person may call for help: those with whom they share a task, as the task service knows, and themselves. */
export class Contacts {
  readonly #tasks: Pick<Client<typeof TaskService>, "findTaskPeers">;

  constructor(tasks: Pick<Client<typeof TaskService>, "findTaskPeers">) {
    this.#tasks = tasks;
  }

  /** `lists`: ids by the field that they are in. Throws INVALID_ARGUMENT for those who are nobody to the caller. */
  async mustKnow(lists: Lists, call: CallContext): Promise<void> {
    const others = [...new Set(Object.values(lists).flat())].filter((id) => id !== call.userId);
    const known = new Set([call.userId, ...(await this.#peers(others, call))]);
    refuse(lists, (id) => !known.has(id), "nobody with whom you share a task");
  }

  async #peers(userIds: string[], call: CallContext): Promise<string[]> {
    if (userIds.length === 0) return [];
    return (await this.#tasks.findTaskPeers({ userId: call.userId, peerIds: userIds }, { call })).peerIds;
  }
}

/** Throws INVALID_ARGUMENT for whoever is named a second time. */
export function mustDiffer(lists: Lists): void {
  const seen = new Set<string>();
  refuse(lists, (id) => seen.size === seen.add(id).size, "named twice");
}

function refuse(lists: Lists, isWrong: (id: string) => boolean, description: string): void {
  const wrong = Object.entries(lists).flatMap(([field, ids]) =>
    ids.flatMap((id, index) => (isWrong(id) ? [{ field: `${field}[${index}]`, description }] : [])),
  );
  if (wrong.length > 0) throw invalidFields(wrong);
}
