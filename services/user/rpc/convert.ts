import type { MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import type { UserSchema, UserSummarySchema } from "#gen/user/v1/user_pb.js";
import type { ProfileRow } from "../db/profile.repository.ts";
import { etagOf } from "../domain/etag.ts";

export function userToProto(profile: ProfileRow): MessageInitShape<typeof UserSchema> {
  const { userId, email, displayName, locale, timeZone, createTime, updateTime, revision } = profile;
  return {
    userId,
    email,
    displayName,
    locale,
    timeZone,
    createTime: timestampFromDate(createTime),
    updateTime: timestampFromDate(updateTime),
    etag: etagOf(revision),
  };
}

export function summaryToProto({ userId, displayName }: ProfileRow): MessageInitShape<typeof UserSummarySchema> {
  return { userId, displayName };
}
