import { create, toBinary } from "@bufbuild/protobuf";
import { anyPack, durationFromMs } from "@bufbuild/protobuf/wkt";
import { ErrorInfoSchema, RetryInfoSchema } from "#gen/google/rpc/error_details_pb.js";
import { StatusSchema } from "#gen/google/rpc/status_pb.js";
import { Code } from "#kit/errors.ts";
import { type Priority, shedHeader } from "#kit/overload/priority.ts";
import { extension, type Json } from "./json.ts";
import type { Settings } from "./options.ts";

/** What the filter, its data at a route and its word about a request go by. */
const filterName = "envoy.filters.http.lua";

/**
 * Adaptive throttling ("Site Reliability Engineering", chapter 21): of each priority Envoy sends the gateway a fifth more
 * than it takes, and refuses the rest by chance, at a tenth of what a refusal of the gateway costs. Who is refused is the
 * gateway's to decide: where it refuses nothing of a priority, neither does this. Nobody holds a place here: a bound on
 * requests under way would be used up by whoever sends a body, or reads an answer, slowly.
 */
export function throttle({ shed }: Settings): Json[] {
  if (!shed) return [];
  const type = "envoy.extensions.filters.http.lua.v3.Lua";
  return [extension(filterName, type, { default_source_code: { inline_string: script } })];
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

const script = `
local spare = 1.2
local window = 500
local classes = {}

local function class_of(handle)
  local name = handle:metadata():get("priority")
  if name == nil then return nil end
  local now = handle:timestamp()
  local class = classes[name]
  if class == nil then
    class = { asked = 0, taken = 0, at = now }
    classes[name] = class
  end
  if now > class.at then
    local left = math.exp((class.at - now) / window)
    class.asked, class.taken, class.at = class.asked * left, class.taken * left, now
  end
  return class
end

function envoy_on_request(handle)
  local class = class_of(handle)
  if class == nil or math.random() * (class.asked + 1) >= class.asked - spare * class.taken then return end
  class.asked = class.asked + 1
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
  if own ~= nil and own["refused"] then return end
  local class = class_of(handle)
  if class == nil then return end
  class.asked = class.asked + 1
  if handle:headers():get("${shedHeader}") == nil then
    class.taken = class.taken + 1
  else
    handle:headers():remove("${shedHeader}")
  end
end
`;
