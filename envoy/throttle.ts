import { create, toBinary } from "@bufbuild/protobuf";
import { anyPack, durationFromMs } from "@bufbuild/protobuf/wkt";
import { ErrorInfoSchema, RetryInfoSchema } from "#gen/google/rpc/error_details_pb.js";
import { StatusSchema } from "#gen/google/rpc/status_pb.js";
import { Code } from "#kit/errors.ts";
import { firstTimes } from "#kit/overload/concurrency-limit.ts";
import { type Priority, shares, shedHeader } from "#kit/overload/priority.ts";
import { extension, type Json } from "./json.ts";
import type { Settings } from "./options.ts";

/** What the filter, its data at a route and its word about a request go by. */
const filterName = "envoy.filters.http.lua";

/**
 * Refuses what the gateway would refuse, at a tenth of what that costs.
 *
 * Adaptive throttling ("Site Reliability Engineering", chapter 21): of each priority Envoy sends the gateway a fifth more
 * than it takes, and refuses the rest by chance. Where the gateway refuses nothing of a priority, neither does this.
 *
 * That goes by answers. For a gateway that gives none just now, no more wait than it has taken lately, and a few for the
 * beginning. A call waits from when all of it was sent, and counts for less the longer it does, so nobody holds a place:
 * a bound on requests under way would be used up by whoever sends a body, or reads an answer, slowly.
 */
export function throttle({ shed, minCalls }: Settings): Json[] {
  if (!shed) return [];
  const type = "envoy.extensions.filters.http.lua.v3.Lua";
  const code = scriptWith(minCalls * firstTimes);
  return [extension(filterName, type, { default_source_code: { inline_string: code } })];
}

/** Of a route: whose calls go here. Urgent ones are the gateway's alone to refuse, as is what has no priority. */
export function throttled(priority: Priority): Json {
  return priority === "urgent" ? {} : { metadata: { filter_metadata: { [filterName]: { priority } } } };
}

/** For answers of Envoy's own: whether the throttle refused the request. */
export const isThrottled: Json = {
  metadata_filter: {
    matcher: { filter: filterName, path: [{ key: "refused" }], value: { bool_match: true } },
    match_if_key_not_found: false,
  },
};

/** A short body is read before it is refused: over HTTP/1.1 an answer that comes earlier ends the connection. In bytes. */
const longestBody = 16 * 1024;
const message = "the server has too much to do; try again in a second";

/** The same as the gateway says to gRPC. */
const status = create(StatusSchema, {
  code: Code.RESOURCE_EXHAUSTED,
  message,
  details: [
    anyPack(ErrorInfoSchema, create(ErrorInfoSchema, { domain: "taskmesh", reason: "OVERLOADED" })),
    anyPack(RetryInfoSchema, create(RetryInfoSchema, { retryDelay: durationFromMs(1_000) })),
  ],
});

/** The counts are sums in which an event weighs 1/e of what it did half a second before. */
const scriptWith = (first: number) => `
local window = 500
local first = ${first}
local few = 4
local shares = { ${Object.entries(shares)
  .map(([priority, share]) => `${priority} = ${share}`)
  .join(", ")} }
local all = { waiting = 0, taken = 0, at = 0 }
local classes = {}

local function bring(counts, now)
  if now <= counts.at then return end
  local left = math.exp((counts.at - now) / window)
  for name, count in pairs(counts) do counts[name] = count * left end
  counts.at = now
end

local function class_of(priority, now)
  local class = classes[priority]
  if class == nil then
    class = { asked = 0, taken = 0, shed = 0, at = now }
    classes[priority] = class
  end
  bring(class, now)
  return class
end

local function has_room(priority)
  return all.waiting < shares[priority] * (first + all.taken)
end

local function is_lucky(class)
  local shed = class.shed / (class.shed + class.taken + 1)
  local spare = 1.2 + 2 * math.max(0, 1 - 10 * shed)
  return math.random() * (class.asked + 1) >= class.asked - spare * class.taken - few
end

local function send(handle)
  local own = handle:streamInfo():dynamicMetadata()
  own:set("${filterName}", "sent", true)
  for _ in handle:bodyChunks() do end
  local now = handle:timestamp()
  bring(all, now)
  all.waiting = all.waiting + 1
  own:set("${filterName}", "at", now)
end

function envoy_on_request(handle)
  local priority = handle:metadata():get("priority")
  if priority == nil then return end
  local now = handle:timestamp()
  local class = class_of(priority, now)
  bring(all, now)
  if has_room(priority) then
    if is_lucky(class) then return send(handle) end
    class.asked = class.asked + 1
  end
  local length = tonumber(handle:headers():get("content-length") or 0) or 0
  if length > 0 and length <= ${longestBody} then handle:body() end
  handle:streamInfo():dynamicMetadata():set("${filterName}", "refused", true)
  handle:respond({
    [":status"] = "429",
    ["grpc-status"] = "${status.code}",
    ["grpc-status-details-bin"] = "${Buffer.from(toBinary(StatusSchema, status)).toString("base64")}",
  }, "${message}")
end

function envoy_on_response(handle)
  local own = handle:streamInfo():dynamicMetadata():get("${filterName}")
  if own == nil or not own["sent"] then return end
  local now = handle:timestamp()
  bring(all, now)
  if own["at"] ~= nil then all.waiting = math.max(0, all.waiting - math.exp((own["at"] - now) / window)) end
  local class = class_of(handle:metadata():get("priority"), now)
  class.asked = class.asked + 1
  if handle:headers():get("${shedHeader}") == nil then
    class.taken = class.taken + 1
    all.taken = all.taken + 1
  else
    class.shed = class.shed + 1
    handle:headers():remove("${shedHeader}")
  end
end
`;
