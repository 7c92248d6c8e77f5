import { once } from "node:events";
import { connect, constants } from "node:http2";
import { afterEach, beforeEach, expect, it } from "vitest";
import { service } from "./server.ts";
import { startTestMesh, type TestMesh, TestService, testImpl } from "./testing.ts";

let mesh: TestMesh;
beforeEach(async () => {
  const never = () => new Promise<never>(() => {});
  mesh = await startTestMesh([service(TestService, testImpl({ open: never }))]);
});
afterEach(() => mesh.close());

it("keeps a connection on which thousands of callers went away: it carries the calls of others", async () => {
  const session = connect(`http://127.0.0.1:${mesh.server.port}`);
  const ends: string[] = [];
  for (const end of ["goaway", "error", "close"]) session.on(end, () => ends.push(end));
  await once(session, "remoteSettings");
  const headers = { ":method": "POST", ":path": "/mesh.test.v1.TestService/Open", "content-type": "application/grpc" };
  for (let wave = 0; wave < 30; wave++) {
    const closed = Array.from({ length: 100 }, () => {
      const stream = session.request({ ...headers, te: "trailers" });
      stream.on("error", () => {}).resume();
      // Once its headers have gone out.
      setImmediate(() => stream.close(constants.NGHTTP2_CANCEL));
      return once(stream, "close");
    });
    await Promise.all(closed);
  }
  await new Promise<void>((resolve, reject) => session.ping((error) => (error ? reject(error) : resolve())));
  expect(ends).toEqual([]);
  session.destroy();
});
