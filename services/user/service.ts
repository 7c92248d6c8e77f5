import { UserService } from "#gen/user/v1/user_service_pb.js";
import { AnswerCache } from "#kit/answer-cache/answer-cache.ts";
import { answerCache } from "#kit/answer-cache/interceptor.ts";
import { profileCache } from "#kit/answer-cache/profiles.ts";
import { etagInterceptors } from "#kit/grpc/interceptors/require-etag.ts";
import { service } from "#kit/grpc/server.ts";
import type { Lifecycle } from "#kit/lifecycle.ts";
import { startMeshService } from "#kit/service.ts";
import type { UserConfig } from "./config.ts";
import { entities, migrations } from "./db/mikro-orm.config.ts";
import { rpc } from "./rpc/index.ts";

/** Starts the service; answers when it takes calls. The lifecycle owns all that it opens. */
export function startService(config: UserConfig, lifecycle: Lifecycle): Promise<{ port: number }> {
  return startMeshService(config, lifecycle, {
    name: "user",
    entities,
    migrations,
    open: ({ database, redis }) => ({
      // Others keep profiles; here they hear what has changed.
      cache: answerCache(new AnswerCache({ redis, ...profileCache, key: database.key("answer-cache") }), []),
      services: [service(UserService, rpc({ database }))],
      interceptors: etagInterceptors(config.etagMode),
    }),
  });
}
