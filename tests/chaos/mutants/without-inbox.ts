import { substitute } from "./substitute.ts";

// Every delivery counts as the first.
substitute("kit/events/middleware/dedupe.ts", ["received === undefined", "false"]);
