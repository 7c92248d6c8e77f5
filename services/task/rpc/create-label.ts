import type { TaskService } from "#gen/task/v1/task_service_pb.js";
import { internal } from "#kit/errors.ts";
import type { Unary } from "#kit/grpc/service.ts";
import type { TaskContext } from "../context.ts";
import { countLabels, ensureLabels, labelsByKey } from "../db/label.repository.ts";
import { onItsOwn } from "../db/queries.ts";
import { labelKey, toLabelName } from "../domain/label-name.ts";
import { limits } from "../domain/task.ts";
import { limitReached } from "../errors.ts";
import { labelToProto } from "./convert.ts";

/** TaskService.CreateLabel */
export const createLabel =
  (ctx: TaskContext): Unary<typeof TaskService.method.createLabel> =>
  async (req, call) => {
    const name = toLabelName(req.name);
    const run = onItsOwn(ctx.db, call.signal);
    const [known] = await labelsByKey(run, call.userId, [labelKey(name)]);
    if (known !== undefined) return { label: labelToProto(known) };

    if ((await countLabels(run, call.userId)) >= limits.labelsOfUser) {
      throw limitReached(`at most ${limits.labelsOfUser} labels are possible`);
    }
    const [label] = await ensureLabels(run, call.userId, [name], ctx.clock.now());
    if (label === undefined) throw internal(new Error("the label is gone"));
    return { label: labelToProto(label) };
  };
