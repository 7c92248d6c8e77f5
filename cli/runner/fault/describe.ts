import { codeName } from "#kit/errors.ts";
import type { Fault } from "./fault.ts";
import { describeToxics } from "./toxics.ts";

/** A fault in words: `slow redis: 200±200 ms late`. */
export function describeFault(fault: Fault): string {
  const subject = `${fault.kind} ${fault.target}`;
  switch (fault.kind) {
    case "kill":
    case "pause":
      return subject;
    case "slow":
      return `${subject}: ${describeToxics(fault.toxics)}`;
    case "cut":
      return `${subject}: ${describeToxics({ cut: fault.how })}`;
    case "rpc": {
      const abort = fault.grpcStatus === undefined ? [] : [`answered with ${codeName(fault.grpcStatus)}`];
      const delay = fault.delayMs ? [`${fault.delayMs} ms late`] : [];
      return `${subject}: ${fault.percent} % of calls ${[...delay, ...abort].join(", ")}`;
    }
    case "consumer": {
      const fail = fault.failShare ? [`${Math.round(fault.failShare * 100)} % of tries fail`] : [];
      const delay = fault.delayMs ? [`each ${fault.delayMs} ms late`] : [];
      return `${subject}: ${[...fail, ...delay].join(", ")}`;
    }
  }
}
