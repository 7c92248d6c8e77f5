import { NotificationService } from "#gen/notification/v1/notification_service_pb.js";
import { etagInterceptors } from "#kit/grpc/interceptors/require-etag.ts";
import { service } from "#kit/grpc/server.ts";
import type { Lifecycle } from "#kit/lifecycle.ts";
import { startMeshService } from "#kit/service.ts";
import { startAlertRepeats } from "./alert-repeats.ts";
import type { NotificationConfig } from "./config.ts";
import { createContext } from "./context.ts";
import { entities, migrations } from "./db/mikro-orm.config.ts";
import { keyedCalls } from "./keyed-calls.ts";
import { rpc } from "./rpc/index.ts";

/** Starts the service; answers when it takes calls. The lifecycle owns all that it opens. */
export function startService(config: NotificationConfig, lifecycle: Lifecycle): Promise<{ port: number }> {
  return startMeshService(config, lifecycle, {
    name: "notification",
    entities,
    migrations,
    open: (parts) => {
      startAlertRepeats({ database: parts.database, pace: config.alertPace, lifecycle });
      return {
        services: [service(NotificationService, rpc(createContext(config, parts)))],
        interceptors: etagInterceptors(config.etagMode),
        once: keyedCalls(parts.database, config.webhook.keySecret),
      };
    },
  });
}
