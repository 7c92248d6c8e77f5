import { substitute } from "./substitute.ts";

// The event is written by itself, a little after the task.
substitute(
  "services/task/db/task.repository.ts",
  ["${eventCte(width + 4)} SELECT FROM outbox`,", "outbox AS (SELECT) SELECT FROM outbox`,"],
  ["...eventParameters(event),\n  ]);", "]);\n  appendLater(run, event);"],
  [
    "const saveStatement",
    `const lateStatement = statement("outbox-late", \`WITH \${eventCte(1)} SELECT FROM outbox\`);
     const appendLater = (run: Run, event: RecordedEvent) =>
       void setTimeout(() => run(lateStatement, eventParameters(event)).catch(console.error), 500);
     const saveStatement`,
  ],
);
