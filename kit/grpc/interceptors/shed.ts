import type { LoadShed } from "../../overload/load-shed.ts";
import { inheritedPriority, priorityHeader } from "../../overload/priority.ts";
import type { ServerInterceptor } from "./interceptor.ts";

/**
 * Refuses calls, the least important first, while there are more than the process can do. A stream may do nothing for
 * hours: it is refused where a call would be, and not counted.
 */
export function shed(load: LoadShed): ServerInterceptor {
  return {
    name: "shed",
    wrap: (next) => async (call, request) => {
      const { method } = call;
      const priority = inheritedPriority(method, call.header(priorityHeader));
      call.priority = priority;
      if (method.methodKind === "unary") return load.run(method, priority, () => next(call, request));
      load.check(priority);
      return next(call, request);
    },
  };
}
