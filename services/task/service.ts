import { TaskService } from "#gen/task/v1/task_service_pb.js";
import { UserService } from "#gen/user/v1/user_service_pb.js";
import { systemClock } from "#kit/clock.ts";
import { createClient } from "#kit/grpc/client.ts";
import { etagInterceptors } from "#kit/grpc/interceptors/require-etag.ts";
import { service } from "#kit/grpc/server.ts";
import type { Lifecycle } from "#kit/lifecycle.ts";
import { startMeshService } from "#kit/service.ts";
import type { TaskConfig } from "./config.ts";
import { createContext } from "./context.ts";
import { entities, migrations } from "./db/mikro-orm.config.ts";
import { rpc } from "./rpc/index.ts";
import { UserDirectory } from "./user-directory.ts";

/** Starts the service; answers when it takes calls. The lifecycle owns all that it opens. */
export function startService(config: TaskConfig, lifecycle: Lifecycle): Promise<{ port: number }> {
  return startMeshService(config, lifecycle, {
    name: "task",
    entities,
    migrations,
    open: ({ database, channel, identity }) => {
      const users = new UserDirectory(createClient(UserService, channel, { identity }));
      return {
        services: [service(TaskService, rpc(createContext(database, users, systemClock)))],
        interceptors: etagInterceptors(config.etagMode),
      };
    },
  });
}
