import { substitute } from "../../chaos/mutants/substitute.ts";

// REST alone calls what is missing a mistake of the caller.
substitute("gateway/errors/problem.ts", [
  "code: codeName(error.code)",
  'code: error.reason === ErrorReason.TASK_NOT_FOUND ? "INVALID_ARGUMENT" : codeName(error.code)',
]);
// REST alone answers with another name.
substitute("gateway/transcoding/encode-response.ts", [
  "return JSON.stringify(nested(responseBody, response));",
  'return JSON.stringify(nested(responseBody, response)).replace(\'"displayName":"own"\', \'"displayName":"Own"\');',
]);
// Every protocol fails alike, at a name that is as long as may be.
substitute("services/task/rpc/create-label.ts", [
  "const name = toLabelName(req.name);",
  'const name = toLabelName(req.name);\n    if (req.name.length === 100) throw new Error("planted");',
]);
// A rule of the contract is left out, for everybody.
substitute("kit/grpc/validation.ts", [
  "return result.violations.map(",
  'return result.violations.filter(({ field }) => pathToString(field) !== "page_size").map(',
]);
// One message ends the process that reads it.
substitute("services/notification/rpc/mark-read.ts", [
  "const { entry, changed } = await",
  "if (etag.length > 40) process.exit(9);\n    const { entry, changed } = await",
]);
