import { UserService } from "#gen/user/v1/user_service_pb.js";
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
    open: ({ database }) => ({
      services: [service(UserService, rpc({ database }))],
      interceptors: etagInterceptors(config.etagMode),
    }),
  });
}
