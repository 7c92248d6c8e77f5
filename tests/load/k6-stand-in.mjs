/**
 * Runs k6.js without k6: what k6 gives a script is stood in for, every call is written down and answered with the body
 * that is sent. Prints the calls and the options as JSON.
 */
import { registerHooks } from "node:module";

const sources = {
  k6: "export const check = globalThis.k6.check; export const fail = (text) => { throw new Error(text); };",
  "k6/http": "export default globalThis.k6.http;",
  "k6/execution": "export default globalThis.k6.execution;",
};
registerHooks({
  resolve: (specifier, context, next) =>
    specifier in sources ? { url: `k6:${specifier}`, format: "module", shortCircuit: true } : next(specifier, context),
  load: (url, context, next) =>
    url.startsWith("k6:")
      ? { source: sources[url.slice(3)], format: "module", shortCircuit: true }
      : next(url, context),
});

const calls = [];
const failed = [];
const iteration = { value: 0 };

function answer(method, url, text) {
  const body = text === undefined ? undefined : JSON.parse(text);
  calls.push({ method, url, body });
  const id = "019aa5a0-0000-7000-8000-000000000001";
  const path = new URL(url).pathname;
  const task = { taskId: id, ...body };
  const reply = path.endsWith("register")
    ? { accessToken: "token", user: { userId: id } }
    : path.endsWith(":complete")
      ? { task: { ...task, status: "STATUS_DONE" } }
      : path.endsWith(":share")
        ? { collaborator: body }
        : { ...task, tasks: [task] };
  return { status: 200, body: JSON.stringify(reply) };
}

globalThis.__ENV = { USERS: "2", READ: "50", WRITE: "50", PHASES: "300s@100,600s@200" };
globalThis.k6 = {
  check: (value, checks) => {
    for (const [name, isRight] of Object.entries(checks)) if (!isRight(value)) failed.push(name);
  },
  http: {
    get: (url) => answer("get", url),
    post: (url, body) => answer("post", url, body),
    patch: (url, body) => answer("patch", url, body),
  },
  execution: {
    scenario: {
      get iterationInTest() {
        return iteration.value;
      },
    },
  },
};

const script = await import("./k6.js");
const people = script.setup();
for (; iteration.value < 300; iteration.value++) script.request(people);
process.stdout.write(JSON.stringify({ calls, failed, options: script.options }));
