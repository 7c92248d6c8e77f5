import { renderTraceTree } from "../trace/render.ts";
import { UserError } from "../user-error.ts";
import { addresses } from "./addresses.ts";
import { doTogether, importProject, join } from "./day.ts";
import { openPage } from "./live.ts";
import { inboxOf, mailsFor } from "./post.ts";
import { wholeTrace } from "./whole-trace.ts";

const say = (line = "") => process.stdout.write(`${line}\n`);

async function main(): Promise<void> {
  const { edge, mail, jaeger } = addresses();
  const [ann, bob] = await Promise.all([join(edge, "Ann"), join(edge, "Bob")]);
  say(`Ann and Bob opened accounts at ${edge}`);
  const imported = await importProject(ann, new URL("./todoist-export.csv", import.meta.url));
  say(`Ann imported her Todoist project: ${imported.length} tasks`);
  const page = await openPage(bob);
  const start = Date.now();
  const taskId = await doTogether(ann, bob);
  say("Ann wrote a task, shared it with Bob and commented; Bob completed it");
  const { notification, unreadCount, time } = await page.firstUpdate;
  say(`Bob's open page had it ${time - start} ms after Ann began: "${notification.title}" (${unreadCount} unread)`);
  say();
  for (const [person, count] of [
    [bob, 2],
    [ann, 1],
  ] as const) {
    const mails = await mailsFor(mail, person.email, taskId, count);
    for (const { subject, messageId } of mails) say(`mail to ${person.name}: ${subject}   ${messageId}`);
  }
  say();
  const [shared] = (await inboxOf(bob, taskId)).toReversed();
  if (shared === undefined) throw new UserError("Bob's inbox is empty: see `npx mesh logs consumers`");
  say(`From Ann's click to Bob's mail in one trace, ${shared.traceId}:`);
  say(renderTraceTree(await wholeTrace(jaeger, shared.traceId)));
  say();
  say(`The mails are at ${mail}, the trace is at ${jaeger}/trace/${shared.traceId}`);
}

try {
  await main();
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
}
