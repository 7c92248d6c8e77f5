import { ErrorReason } from "#gen/mesh/v1/error_reason_pb.js";
import type { UserService } from "#gen/user/v1/user_service_pb.js";
import { invalidArgument, invalidFields, notFound } from "#kit/errors.ts";
import { mustMatch } from "#kit/grpc/precondition.ts";
import type { Unary } from "#kit/grpc/service.ts";
import type { UserContext } from "../context.ts";
import type { Profile } from "../db/profile.entity.ts";
import { lockProfile } from "../db/profile.repository.ts";
import { etagOf } from "../domain/etag.ts";
import {
  type Change,
  changedFields,
  defaultsFor,
  fieldsOfMask,
  type ProfileField,
  type ProfileFields,
  ProfileValueError,
} from "../domain/profile.ts";
import { userUpdated } from "../events.ts";
import { reportUserUpdated } from "../metrics.ts";
import { userToProto } from "./convert.ts";

export const updateMe =
  ({ database }: UserContext): Unary<typeof UserService.method.updateMe> =>
  async ({ user, updateMask }, call) => {
    const { userId, signal } = call;
    const { displayName = "", locale = "", timeZone = "", etag = "" } = user ?? {};
    const change = { named: namedFields(updateMask?.paths ?? []), given: { displayName, locale, timeZone } };
    const { profile, changed } = await database.transactional(
      async (em) => {
        const found = await lockProfile(em, userId);
        if (!found) throw notFound(ErrorReason.USER_NOT_FOUND, "the caller has no profile; sign in again");
        mustMatch(call, etag, { etag: etagOf(found.revision), revision: found.revision });
        const values = valuesToSet(found, change);
        const names = Object.keys(values) as ProfileField[];
        if (names.length > 0) {
          Object.assign(found, values, { revision: found.revision + 1n, updateTime: new Date() });
          await userUpdated(em, found, names);
        }
        return { profile: found, changed: names };
      },
      { signal },
    );
    if (changed.length > 0) reportUserUpdated(userId, changed);
    return { user: userToProto(profile) };
  };

/** An empty mask is no mask. */
function namedFields(paths: string[]): ProfileField[] | undefined {
  if (paths.length === 0) return undefined;
  const { named, wrong } = fieldsOfMask(paths);
  if (wrong.length === 0) return named;
  throw invalidFields(
    wrong.map((path) => ({
      field: "update_mask",
      description: `"${path}" is no field that can be changed; these can: display_name, locale, time_zone`,
    })),
  );
}

function valuesToSet(profile: Profile, change: Change): Partial<ProfileFields> {
  try {
    return changedFields(profile, change, defaultsFor(profile.email));
  } catch (error) {
    if (error instanceof ProfileValueError) throw invalidArgument(`user.${error.field}`, error.message);
    throw error;
  }
}
