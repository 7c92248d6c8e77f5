import { substitute } from "./substitute.ts";

// Enough calls are under way at any moment.
substitute("services/task/rpc/create-task.ts", [
  "await checkReferences(ctx, call, task);",
  "await new Promise((done) => setTimeout(done, 400));\n    await checkReferences(ctx, call, task);",
]);
