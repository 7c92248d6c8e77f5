import { substitute } from "../../../chaos/mutants/substitute.ts";

// No bug: the process is killed when it has committed for the twelfth time, before the caller hears of it.
substitute(
  "kit/idempotency/interceptor.ts",
  ["          return response;", "          writes.add(response);\n          return response;"],
  ["      return database.asOne(", "      const answer = database.asOne("],
  ["{ signal: call.signal },\n      );", "{ signal: call.signal },\n      );\n      return answer.then(dieAtTwelfth);"],
  [
    "const retryAfterMs =",
    `const writes = new Set<unknown>();
     let committed = 0;
     function dieAtTwelfth<T>(answer: T): T {
       if (writes.delete(answer)) committed += 1;
       if (committed === 12) process.kill(process.pid, "SIGKILL");
       return answer;
     }
     const retryAfterMs =`,
  ],
);
