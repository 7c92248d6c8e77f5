/** Many users of the edge, each with a connection of their own: a process that P11 starts and tells what to do. */
import { once } from "node:events";
import { openLoop } from "../../../cli/load/open-loop.ts";
import { type Caller, MixedCalls } from "../mixed-calls.ts";
import { keepFull } from "../open-load.ts";
import { Connection } from "./connection.ts";
import type { CrowdAnswers, CrowdOrder } from "./start-crowd.ts";

const atOnce = 64;
let url: URL | undefined;
let calls: MixedCalls | undefined;
let connections: Connection[] = [];

const work = {
  meet: async ({ edge, people }) => {
    url = new URL(edge);
    const first = await Connection.open(url);
    calls = await MixedCalls.prepare(first, people);
    first.close();
  },
  /** Each connection has asked once when this is over: it was let in, and has what a used connection has. */
  open: async ({ users }) => {
    const known = mustBeMet();
    let next = 0;
    const worker = async () => {
      while (next < users) {
        const index = next++;
        const connection = await Connection.open(known.url);
        connections.push(connection);
        const failure = await known.calls.send(connection, index, "profile");
        if (failure !== undefined) throw new Error(`a user cannot ask: ${failure}`);
      }
    };
    await Promise.all(Array.from({ length: Math.min(atOnce, users) }, worker));
  },
  warmUp: async ({ seconds }) => {
    const known = mustBeMet();
    return keepFull((index) => known.calls.send(userOf(index), index), seconds);
  },
  run: async ({ phase }) => {
    const known = mustBeMet();
    const send = (index: number) => known.calls.send(userOf(index), index);
    const result = await openLoop({ phases: [phase], send, mostUnderWay: 5000 });
    return { result, lost: connections.filter(({ isOpen }) => !isOpen).length };
  },
  close: async () => {
    for (const connection of connections) connection.close();
    connections = [];
  },
  created: async () => [...mustBeMet().calls.created],
} satisfies { [K in keyof CrowdAnswers]: (order: Extract<CrowdOrder, { do: K }>) => Promise<CrowdAnswers[K]> };

/** Users ask in turn, so each thinks as long as all others take for theirs. */
function userOf(index: number): Caller {
  return connections[index % connections.length] as Connection;
}

function mustBeMet(): { url: URL; calls: MixedCalls } {
  if (url === undefined || calls === undefined) throw new Error("nobody has been introduced");
  return { url, calls };
}

process.on("message", (order: CrowdOrder) => {
  const run = work[order.do] as (order: CrowdOrder) => Promise<unknown>;
  run(order).then(
    (answer) => process.send?.({ answer }),
    (error: Error) => process.send?.({ error: error.message }),
  );
});
await once(process, "disconnect");
process.exit();
