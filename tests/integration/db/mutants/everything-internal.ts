import { substitute } from "../../../chaos/mutants/substitute.ts";

// A database that is away is a fault of nobody in particular.
substitute("kit/db/errors.ts", [
  'if (isConnectionError(error)) return unavailable("the database is not available", error);',
  "if (isConnectionError(error)) return internal(error);",
]);
