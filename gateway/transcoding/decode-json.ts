import { type DescMessage, fromJson, type JsonValue, type Message, type Registry } from "@bufbuild/protobuf";
import { TranscodingError } from "./errors.ts";
import { explainFaults } from "./explain.ts";
import { alteredValues } from "./strict-values.ts";

/**
 * The message of a JSON value; `registry` has the types that may be in a google.protobuf.Any. Throws TranscodingError
 * that names every fault.
 */
export function decodeJson(desc: DescMessage, json: JsonValue, registry?: Registry): Message {
  let message: Message;
  try {
    message = fromJson(desc, json, { registry });
  } catch {
    const faults = explainFaults(desc, json);
    throw TranscodingError.fields(faults.length > 0 ? faults : [{ field: "", description: "is nested too deeply" }]);
  }
  const altered = alteredValues(desc, json);
  if (altered.length > 0) throw TranscodingError.fields(altered);
  return message;
}
