import { messageOf, UserError } from "../../cli/user-error.ts";
import { withMachine, withStack } from "./stack.ts";
import { namesOf, variants } from "./variants.ts";

const start = Date.now();
const say = (line: string) =>
  process.stdout.write(`${((Date.now() - start) / 1000).toFixed(1).padStart(7)} s  ${line}\n`);

const interrupted = Promise.withResolvers<never>();
for (const signal of ["SIGINT", "SIGTERM"] as const) {
  process.once(signal, () => interrupted.reject(new UserError(`interrupted by ${signal}`)));
}
interrupted.promise.catch(() => {});

try {
  const names = namesOf(process.argv.slice(2));
  await withMachine(say, async (daemon) => {
    for (const name of names) {
      const variant = variants[name] as (typeof variants)[string];
      say("");
      await withStack(daemon, variant, {
        say,
        interrupted: interrupted.promise,
        work: async (stack) => {
          for (const { title, check } of variant.checks) {
            say("");
            say(title);
            for (const line of await check(stack)) say(`  ${line}`);
          }
        },
      });
    }
  });
  say("done: nothing is left running");
} catch (error) {
  process.stderr.write(`${messageOf(error)}\n`);
  process.exitCode = 1;
}
