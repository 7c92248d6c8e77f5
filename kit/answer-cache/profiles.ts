import { fromBinary, toBinary } from "@bufbuild/protobuf";
import { type User, UserSchema } from "#gen/user/v1/user_pb.js";
import type { UserService } from "#gen/user/v1/user_service_pb.js";
import { countLookup } from "#kit/cache-lookups.ts";
import type { CallOptions, Client } from "#kit/grpc/client.ts";
import type { AnswerCache } from "./answer-cache.ts";

/** Of the cache in which each profile is kept by its user's id. The user service tells it of changes. */
export const profileCache = { prefix: "user:", channel: "users:changed" };

const field = "profile";
/** More are asked for at once. */
const maxLooks = 100;

/** People as the user service knows them. Whoever was asked for lately is not asked for again. */
export class Profiles {
  readonly #users: Pick<Client<typeof UserService>, "batchGetUsers">;
  readonly #cache: AnswerCache;
  readonly #keepMs: number;

  /** `keepMs`: how long a profile is kept that does not change, in milliseconds; 0 keeps none. */
  constructor(users: Pick<Client<typeof UserService>, "batchGetUsers">, cache: AnswerCache, keepMs: number) {
    this.#users = users;
    this.#cache = cache;
    this.#keepMs = keepMs;
  }

  /** The profiles of those who exist, by their id. */
  async byId(ids: readonly string[], options: CallOptions): Promise<Map<string, User>> {
    const wanted = [...new Set(ids)];
    if (this.#keepMs === 0 || wanted.length > maxLooks) return byId(await this.#ask(wanted, options));
    const looks = await Promise.all(wanted.map((id) => this.#look(id)));
    const found = looks.flatMap(({ user }) => user ?? []);
    const missing = looks.filter(({ user }) => user === undefined);
    if (missing.length === 0) return byId(found);
    const versions = new Map(missing.map(({ id, version }) => [id, version]));
    const fetched = await this.#ask([...versions.keys()], options);
    for (const user of fetched) {
      const version = versions.get(user.userId);
      const bytes = version && Buffer.from(toBinary(UserSchema, user));
      if (bytes) void this.#cache.keep(user.userId, { field, version }, bytes, this.#keepMs);
    }
    return byId([...found, ...fetched]);
  }

  async #look(id: string): Promise<{ id: string; user?: User; version: string | undefined }> {
    const { answer, version } = await this.#cache.look(id, field, this.#keepMs);
    countLookup("profile", answer !== undefined);
    return { id, version, ...(answer && { user: fromBinary(UserSchema, answer) }) };
  }

  async #ask(userIds: string[], options: CallOptions): Promise<User[]> {
    if (userIds.length === 0) return [];
    return (await this.#users.batchGetUsers({ userIds }, options)).users;
  }
}

function byId(users: readonly User[]): Map<string, User> {
  return new Map(users.map((user) => [user.userId, user]));
}
