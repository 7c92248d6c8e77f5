import { substitute } from "../../../chaos/mutants/substitute.ts";

// Nobody tells a database that cannot be had from work that is slow.
substitute("kit/db/patience.ts", [
  "if (call === undefined ||",
  "if (true) return undefined;\n    if (call === undefined ||",
]);
