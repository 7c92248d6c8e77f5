import { substitute } from "../../chaos/mutants/substitute.ts";

// Four faults that telemetry must not have: each is found by its own test.

// The trace ends at Kafka.
substitute("kit/events/relay-spans.ts", ["injectContext(headers, trace.setSpan(parent, span));", ""]);

// Work that no span tells of.
substitute("services/auth/passwords/hasher.ts", [
  'withSpan("taskmesh hash password", {}, () => this.#pool.run(compute, signal))',
  "this.#pool.run(compute, signal)",
]);

// A span with a mail address.
substitute("services/auth/rpc/register.ts", [
  "const { signal } = call;",
  'const { signal } = call; (await import("#observability/tracing.ts")).activeSpan()?.setAttribute("user.email", email);',
]);

// A log line with a title.
substitute("services/task/rpc/create-task.ts", [
  "reportTaskCreated(task);",
  "reportTaskCreated(task); console.log(JSON.stringify({ message: task.title }));",
]);
