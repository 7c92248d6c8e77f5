import "./slow-creates.ts";

// It ends at once, whatever is under way.
process.prependListener("SIGTERM", () => process.exit(0));
