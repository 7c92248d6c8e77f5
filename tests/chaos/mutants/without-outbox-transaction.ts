import { substitute } from "./substitute.ts";

// The event is written by itself, a little after the task.
substitute(
  "services/task/db/task.repository.ts",
  ["${outboxCte(width + 4)} SELECT FROM outbox`,", "outbox AS (SELECT) SELECT FROM outbox`,"],
  ["...outboxParameters(event),\n  ]);", "]);\n  appendLater(run, event);"],
  [
    "const saveStatement",
    `const lateStatement = statement("outbox-late", \`WITH \${outboxCte(1)} SELECT FROM outbox\`);
     const appendLater = (run: Run, event: OutgoingEvent) =>
       void setTimeout(() => run(lateStatement, outboxParameters(event)).catch(console.error), 500);
     const saveStatement`,
  ],
);
