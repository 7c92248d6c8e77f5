import { substitute } from "./substitute.ts";

// A version that is bad, but not dead: health checks find nothing.
substitute("kit/grpc/interceptors/validate.ts", [
  "mustBeValid(call.method.input, request);",
  `mustBeValid(call.method.input, request);
   globalThis.plantedCalls = (globalThis.plantedCalls ?? 0) + 1;
   if (call.method.parent.typeName.startsWith("task.") && globalThis.plantedCalls % 5 === 0) throw new Error("planted");`,
]);
