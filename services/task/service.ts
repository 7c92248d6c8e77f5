import { TaskService } from "#gen/task/v1/task_service_pb.js";
import { UserService } from "#gen/user/v1/user_service_pb.js";
import { AnswerCache } from "#kit/answer-cache/answer-cache.ts";
import { answerCache, type KeptRead } from "#kit/answer-cache/interceptor.ts";
import { Profiles, profileCache } from "#kit/answer-cache/profiles.ts";
import { systemClock } from "#kit/clock.ts";
import { createClient } from "#kit/grpc/client.ts";
import { etagInterceptors } from "#kit/grpc/interceptors/require-etag.ts";
import { service } from "#kit/grpc/server.ts";
import type { Lifecycle } from "#kit/lifecycle.ts";
import { openRedis } from "#kit/redis/redis.ts";
import { startMeshService } from "#kit/service.ts";
import type { TaskConfig } from "./config.ts";
import { createContext } from "./context.ts";
import { activityTable } from "./db/activity.repository.ts";
import { entities, migrations } from "./db/mikro-orm.config.ts";
import { rpc } from "./rpc/index.ts";
import { UserDirectory } from "./user-directory.ts";

/** Starts the service; answers when it takes calls. The lifecycle owns all that it opens. */
export function startService(config: TaskConfig, lifecycle: Lifecycle): Promise<{ port: number }> {
  return startMeshService(config, lifecycle, {
    name: "task",
    entities,
    migrations,
    partitioned: [activityTable(config.activityDays)],
    open: ({ database, channel, identity }) => {
      // Apart, for the cache has a time limit of its own, which does not count when this process is busy.
      const redis = openRedis({ ...config.redis, lifecycle, commandTimeoutMs: 1_000 });
      const key = database.key("answer-cache");
      const client = createClient(UserService, channel, { identity });
      const profiles = new AnswerCache({ redis, ...profileCache, key });
      const users = new UserDirectory(client, new Profiles(client, profiles, config.cache.profileMs));
      const lists = new AnswerCache({ redis, ...listCache, key }).keepNear(lifecycle);
      return {
        cache: answerCache(lists, keptReads(config)),
        services: [service(TaskService, rpc(createContext(database, users, systemClock)))],
        interceptors: etagInterceptors(config.etagMode),
      };
    },
  });
}

/** Of the cache in which the answers about a user's tasks are kept. */
const listCache = { prefix: "tasks:user:", channel: "tasks:changed" };

function keptReads({ cache }: TaskConfig): KeptRead[] {
  const { listTasks, getTaskStats } = TaskService.method;
  return [
    { method: listTasks, name: "task_list", keepMs: cache.listMs },
    { method: getTaskStats, name: "task_stats", keepMs: cache.statsMs },
  ];
}
