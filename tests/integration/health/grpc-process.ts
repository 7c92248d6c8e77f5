import { setTimeout as delay } from "node:timers/promises";
import { testIdentities, testIssuer } from "#kit/auth/testing.ts";
import { service, startGrpcServer } from "#kit/grpc/server.ts";
import { TestService, testImpl } from "#kit/grpc/testing.ts";
import { Readiness } from "#kit/health/readiness.ts";
import { runMain } from "#kit/lifecycle.ts";
import { startAdmin } from "#observability/admin.ts";

// A service without parts, to be stopped: a call takes as many milliseconds as it says, a stream sends as fast as it can.
const [grpcPort, adminPort] = process.argv.slice(2).map(Number);
const host = "127.0.0.1";

await runMain("test", async (lifecycle) => {
  const readiness = await Readiness.start(lifecycle, {});
  await startAdmin({ host, port: adminPort ?? 0, lifecycle, readiness });
  const impl = testImpl({
    open: async ({ value }) => {
      await delay(Number(value));
      return { value };
    },
    watch: async function* (_request, { signal }) {
      for (;;) {
        yield { value: "x".repeat(10_000) };
        await delay(5);
        signal.throwIfAborted();
      }
    },
  });
  await startGrpcServer({
    host,
    port: grpcPort ?? 0,
    services: [service(TestService, impl)],
    identity: testIdentities(["task"]).task,
    tokens: testIssuer().verifier(),
    lifecycle,
    readiness,
    // Anybody may call here.
    interceptors: () => [],
  });
});
