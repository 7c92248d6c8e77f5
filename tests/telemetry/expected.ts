import type { Processing, Trace } from "#gen/mesh/v1/options_pb.js";
import { allRpcs, type Rpc } from "../../envoy/rpcs.ts";
import { type DeclaredEvent, nameOf, type TraceContract } from "./contract.ts";

/** A span that has to be there, exactly once, with these children and no others. */
export interface ExpectedSpan {
  service: string;
  name: string;
  /** Of spans that are about an event. */
  event?: string;
  /** Of spans that are a consumer group's. */
  group?: string;
  /** It links to its parent, which is in another process and long over. */
  linked?: true;
  children: ExpectedSpan[];
}

const rpcs = new Map(allRpcs().map((rpc) => [rpc.path.slice(1), rpc]));

/** The tree of an RPC that is called by REST at the edge, or in the mesh where no other way leads to it. */
export function expectedTree(contract: TraceContract, rpcName: string): ExpectedSpan {
  const rpc = rpcs.get(rpcName);
  if (rpc === undefined) throw new Error(`Envoy does not know ${rpcName}`);
  if (!rpc.public) return meshHop(contract, rpcName);
  const [binding] = rpc.rest;
  if (binding === undefined) throw new Error(`${rpcName} has no REST face`);
  const { method, template } = binding;
  const gateway = span("gateway", `${method} ${template}`, call(contract, "gateway", rpcName));
  const upstream = span("envoy-edge", "to gateway_http", gateway);
  return span("envoy-edge", `${method} ${hasOwnRoute(rpc, method) ? template : "http"}`, upstream);
}

/** REST paths of calls that may take longer than others, or go before or behind them, have a route of their own at the edge. */
function hasOwnRoute({ streaming, timeout, priority }: Rpc, method: string): boolean {
  return streaming || timeout > 8000 || priority !== (method === "GET" ? "read" : "write");
}

function call(contract: TraceContract, caller: string, rpcName: string): ExpectedSpan {
  return span(caller, rpcName, meshHop(contract, rpcName));
}

function meshHop(contract: TraceContract, rpcName: string): ExpectedSpan {
  const method = contract.method(rpcName);
  const service = rpcs.get(rpcName)?.cluster as string;
  const server = span(service, nameOf(method), ...inside(contract, service, contract.traceOf(method)));
  return span("envoy-mesh", rpcName, span("envoy-mesh", `to ${service}`, server));
}

function inside(
  contract: TraceContract,
  service: string,
  { spans, calls, events, unheardEvents }: Trace,
): ExpectedSpan[] {
  return [
    ...spans.map((name) => span(service, name)),
    ...calls.map((name) => call(contract, service, name)),
    ...events.flatMap((type) => wayOf(contract, contract.event(type))),
    ...unheardEvents.flatMap((type) => wayOf(contract, { ...contract.event(type), isHeard: false })),
  ];
}

/** The wait in the outbox and the sending are children of what wrote the event; all others are the sending's. */
export function wayOf(contract: TraceContract, event: DeclaredEvent): ExpectedSpan[] {
  const { type, topic, source, isHeard } = event;
  const received = takersOf(event).flatMap(({ group, trace }): ExpectedSpan[] => {
    const effect = ["INSERT inbox_event", "COMMIT"].map((name) => span("consumers", name));
    const children = trace && isHeard ? inside(contract, "consumers", trace) : [];
    return [
      { ...about(type, span("consumers", `wait ${topic}`)), group },
      { ...about(type, span("consumers", `process ${topic}`, ...effect, ...children)), group, linked: true },
    ];
  });
  return [about(type, span(source, "outbox wait")), about(type, span(source, `send ${topic}`, ...received))];
}

/** What each group does with an event; one that names some facts and not this one passes it over. */
function takersOf({ name, processings }: DeclaredEvent): Processing[] {
  const ofGroups = Map.groupBy(processings, ({ group }) => group);
  return [...ofGroups.values()].flatMap(
    (entries) => entries.find(({ events }) => events.length === 0 || events.includes(name)) ?? [],
  );
}

export function span(service: string, name: string, ...children: ExpectedSpan[]): ExpectedSpan {
  return { service, name, children };
}

export function about(event: string, expected: ExpectedSpan): ExpectedSpan {
  return { ...expected, event };
}
