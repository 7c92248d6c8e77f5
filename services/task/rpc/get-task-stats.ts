import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import type { TaskService } from "#gen/task/v1/task_service_pb.js";
import { invalidArgument } from "#kit/errors.ts";
import type { Unary } from "#kit/grpc/service.ts";
import type { TaskContext } from "../context.ts";
import { onItsOwn } from "../db/queries.ts";
import { countTasks } from "../db/task-stats.ts";
import { isTimeZone, localAsUtc } from "../domain/due.ts";
import { summarize } from "../domain/stats.ts";

const recentMs = 7 * 24 * 3_600_000;

/** TaskService.GetTaskStats */
export const getTaskStats =
  (ctx: TaskContext): Unary<typeof TaskService.method.getTaskStats> =>
  async (req, call) => {
    if (req.timeZone !== "" && !isTimeZone(req.timeZone)) {
      throw invalidArgument("time_zone", 'must be a time zone of the IANA data base, such as "Europe/Berlin"');
    }
    const now = ctx.clock.now();
    const groups = await countTasks(onItsOwn(ctx.db, call.signal), {
      userId: call.userId,
      now,
      localNow: localAsUtc(now, req.timeZone || "UTC"),
      recentSince: new Date(now.getTime() - recentMs),
    });
    return { ...summarize(groups), countTime: timestampFromDate(now) };
  };
