import type { User } from "#gen/user/v1/user_pb.js";
import type { UserService } from "#gen/user/v1/user_service_pb.js";
import type { Client } from "#kit/grpc/client.ts";

const batchLimit = 1000;

/** Looks people up at the user service, under this process's own identity. */
export class People {
  readonly #users: Pick<Client<typeof UserService>, "batchGetUsers">;

  constructor(users: Pick<Client<typeof UserService>, "batchGetUsers">) {
    this.#users = users;
  }

  /** The profiles of those who exist, by their id. */
  async byId(ids: Iterable<string>, signal: AbortSignal): Promise<Map<string, User>> {
    const wanted = [...new Set(ids)].filter((id) => id !== "");
    const found = new Map<string, User>();
    for (let start = 0; start < wanted.length; start += batchLimit) {
      const userIds = wanted.slice(start, start + batchLimit);
      const { users } = await this.#users.batchGetUsers({ userIds }, { signal });
      for (const user of users) found.set(user.userId, user);
    }
    return found;
  }
}
