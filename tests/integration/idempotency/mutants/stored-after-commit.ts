import { substitute } from "../../../chaos/mutants/substitute.ts";

// The answer is stored in a transaction of its own once the effect is committed. Killed in between at the twelfth time.
substitute(
  "kit/idempotency/interceptor.ts",
  [
    "const answer = { requestHash, response: sealer.seal(response, requestHash) };\n          if (!(await store.storeAnswer(em, owned, answer))) throw inFlight();\n          return response;",
    "fresh.add(response);\n          return response;",
  ],
  ["      return database.asOne(", "      const answer = database.asOne("],
  [
    "{ signal: call.signal },\n      );",
    `{ signal: call.signal },
      );
      return answer.then(async (response) => {
        if (!fresh.delete(response)) return response;
        committed += 1;
        if (committed === 12) process.kill(process.pid, "SIGKILL");
        await database.asOne((em) => store.storeAnswer(em, owned, { requestHash, response: response as Buffer }));
        return response;
      });`,
  ],
  ["const retryAfterMs =", "const fresh = new Set<unknown>();\nlet committed = 0;\nconst retryAfterMs ="],
);
