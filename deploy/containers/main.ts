import { messageOf, UserError } from "../../cli/user-error.ts";
import { checks } from "./checks/index.ts";
import { withStack } from "./stack.ts";

const start = Date.now();
const say = (line: string) =>
  process.stdout.write(`${((Date.now() - start) / 1000).toFixed(1).padStart(7)} s  ${line}\n`);

const interrupted = Promise.withResolvers<never>();
for (const signal of ["SIGINT", "SIGTERM"] as const) {
  process.once(signal, () => interrupted.reject(new UserError(`interrupted by ${signal}`)));
}
interrupted.promise.catch(() => {});

try {
  await withStack(say, interrupted.promise, async (stack) => {
    say("every container is healthy");
    for (const { title, check } of checks) {
      say("");
      say(title);
      for (const line of await check(stack)) say(`  ${line}`);
    }
  });
  say("done: nothing is left running");
} catch (error) {
  process.stderr.write(`${messageOf(error)}\n`);
  process.exitCode = 1;
}
