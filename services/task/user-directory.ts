import { ErrorReason } from "#gen/mesh/v1/error_reason_pb.js";
import type { UserService } from "#gen/user/v1/user_service_pb.js";
import type { Profiles } from "#kit/answer-cache/profiles.ts";
import { invalidArgument, ServiceError } from "#kit/errors.ts";
import type { Client } from "#kit/grpc/client.ts";
import type { CallContext } from "#kit/grpc/service.ts";
import { isTimeZone } from "./domain/due.ts";
import { userNotFound } from "./errors.ts";

export interface Person {
  userId: string;
  displayName: string;
}

/** What this service asks the user service, through the mesh. */
export class UserDirectory {
  readonly #client: Pick<Client<typeof UserService>, "lookupUser">;
  readonly #profiles: Profiles;

  constructor(client: Pick<Client<typeof UserService>, "lookupUser">, profiles: Profiles) {
    this.#client = client;
    this.#profiles = profiles;
  }

  /** The people with these ids; unknown ones are left out. */
  find(userIds: readonly string[], call: CallContext): Promise<Map<string, Person>> {
    return this.#profiles.byId(userIds, { call });
  }

  /** Throws NOT_FOUND with USER_NOT_FOUND when nobody has the id. */
  async get(userId: string, call: CallContext): Promise<Person> {
    const person = (await this.find([userId], call)).get(userId);
    if (person === undefined) throw userNotFound();
    return person;
  }

  /** The person with exactly this address. Throws NOT_FOUND with USER_NOT_FOUND when nobody has it. */
  async findByEmail(email: string, call: CallContext): Promise<Person> {
    const { user } = await this.#client.lookupUser({ email }, { call });
    if (user === undefined) throw userNotFound();
    return { userId: user.userId, displayName: user.displayName };
  }

  /** The person's time zone; UTC while it cannot be had, since what is done must not wait for it. */
  async timeZoneOf(userId: string, call: CallContext): Promise<string> {
    try {
      const users = await this.#profiles.byId([userId], { call, timeoutMs: 500 });
      const zone = users.get(userId)?.timeZone ?? "";
      return isTimeZone(zone) ? zone : "UTC";
    } catch (error) {
      if (error instanceof ServiceError && passing.has(error.reason)) return "UTC";
      throw error;
    }
  }
}

const passing: ReadonlySet<ErrorReason> = new Set([
  ErrorReason.UNAVAILABLE,
  ErrorReason.DEADLINE_EXCEEDED,
  ErrorReason.OVERLOADED,
]);

/** Throws INVALID_ARGUMENT when one of the assignees is nobody. */
export async function mustExist(
  users: UserDirectory,
  assigneeIds: readonly string[],
  call: CallContext,
): Promise<void> {
  const others = assigneeIds.filter((userId) => userId !== call.userId);
  if (others.length === 0) return;
  const found = await users.find(others, call);
  if (others.some((userId) => !found.has(userId))) throw invalidArgument("task.assignee_ids", "one of them is nobody");
}
