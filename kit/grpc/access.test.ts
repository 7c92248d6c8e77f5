import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ErrorReason } from "#gen/mesh/v1/error_reason_pb.js";
import { identityHeader } from "../auth/identity.ts";
import { testIdentities, testIssuer } from "../auth/testing.ts";
import { Code } from "../errors.ts";
import { service } from "./server.ts";
import type { Caller } from "./service.ts";
import { fromStatus } from "./status.ts";
import { bearer, endOf, startTestMesh, strangersCall, type TestMesh, TestService, testImpl } from "./testing.ts";

let mesh: TestMesh;
let caller: Caller | undefined;
let userId: string | undefined;

const note: ReturnType<typeof testImpl>["echo"] = async ({ value }, call) => {
  caller = call.caller;
  if (value === "who") userId = call.userId;
  return { value };
};

beforeAll(async () => {
  const methods = testImpl({ echo: note, open: note, forTask: note, forServices: note });
  mesh = await startTestMesh([service(TestService, methods)]);
});
afterAll(() => mesh.close());

type Name = "echo" | "open" | "forTask" | "forServices" | "withoutPolicy" | "watch";

/** How a call with these headers ends, by a client that is no service of ours. */
async function outcome(name: Name, headers: Record<string, string>): Promise<string> {
  caller = undefined;
  const status = await strangersCall(mesh.server.port, TestService.method[name], { headers });
  return status.code === 0 ? "OK" : ErrorReason[fromStatus(endOf(status)).reason];
}

const asUser = () => bearer(mesh, { sub: "u-1", sid: "s-1" });
const asService = (name: "gateway" | "task" | "user") => ({ [identityHeader]: mesh.identities[name].token() });

describe("access", () => {
  it("is denied to everybody where there is no policy", async () => {
    for (const headers of [{}, asUser(), asService("task"), { ...asUser(), ...asService("task") }]) {
      expect(await outcome("withoutPolicy", headers)).toBe("PERMISSION_DENIED");
    }
    expect(caller).toBeUndefined();
  });

  it("of users needs a verified token", async () => {
    expect(await outcome("echo", asUser())).toBe("OK");
    expect(caller).toEqual({ kind: "user", userId: "u-1", sessionId: "s-1" });
    const lacking: Record<string, string>[] = [
      {},
      { authorization: "Bearer" },
      { authorization: "Basic dTpw" },
      asService("task"),
    ];
    for (const headers of lacking) {
      expect(await outcome("echo", headers)).toBe("TOKEN_INVALID");
    }
    expect(await outcome("echo", { authorization: `Bearer ${testIssuer().token()}` })).toBe("TOKEN_INVALID");
    const past = Math.floor(Date.now() / 1000) - 1;
    expect(await outcome("echo", bearer(mesh, { iat: past - 60, exp: past }))).toBe("TOKEN_EXPIRED");
    expect(caller).toBeUndefined();
    expect(await outcome("watch", {})).toBe("TOKEN_INVALID");
  });

  it("of users names the service that the call came through, and only a true one", async () => {
    expect(await outcome("echo", { ...asUser(), ...asService("gateway") })).toBe("OK");
    expect(caller).toMatchObject({ kind: "user", via: "gateway" });
    const { gateway } = testIdentities(["gateway"]);
    expect(await outcome("echo", { ...asUser(), [identityHeader]: gateway.token() })).toBe("TOKEN_INVALID");
  });

  it("of services is closed to users, to strangers and to other services", async () => {
    expect(await outcome("forTask", asService("task"))).toBe("OK");
    expect(caller).toEqual({ kind: "service", name: "task" });
    expect(await outcome("forTask", { ...asUser(), ...asService("task") })).toBe("OK");
    expect(await outcome("forTask", asService("gateway"))).toBe("CALLER_NOT_ALLOWED");
    expect(await outcome("forTask", { ...asUser(), ...asService("user") })).toBe("CALLER_NOT_ALLOWED");
    for (const name of ["forTask", "forServices"] as const) {
      expect(await outcome(name, {})).toBe("CALLER_NOT_ALLOWED");
      expect(await outcome(name, asUser())).toBe("CALLER_NOT_ALLOWED");
      const { task } = testIdentities(["task"]);
      expect(await outcome(name, { [identityHeader]: task.token() })).toBe("TOKEN_INVALID");
      expect(await outcome(name, { [identityHeader]: mesh.issuer.token() })).toBe("TOKEN_INVALID");
    }
    expect(caller).toBeUndefined();
    expect(await outcome("forServices", asService("gateway"))).toBe("OK");
  });

  it("of everybody does not look at tokens, so that a stale one keeps nobody from signing in", async () => {
    const any: Record<string, string>[] = [{}, asUser(), { authorization: "Bearer x.y.z" }, { [identityHeader]: "x" }];
    for (const headers of any) {
      expect(await outcome("open", headers)).toBe("OK");
      expect(caller).toEqual({ kind: "anonymous" });
    }
  });

  it("is not won by headers that claim to know the caller", async () => {
    const claims = {
      "x-user-id": "u-1",
      "x-mesh-caller": "task",
      "x-authenticated-user": "u-1",
      "x-forwarded-client-cert": "By=spiffe://mesh/task",
      "x-envoy-internal": "true",
    };
    expect(await outcome("echo", claims)).toBe("TOKEN_INVALID");
    expect(await outcome("forTask", claims)).toBe("CALLER_NOT_ALLOWED");
  });

  it("gives the handler an id of the user, or an error when there is none", async () => {
    const client = mesh.client(TestService, "task");
    await client.echo({ value: "who" }, { headers: asUser() });
    expect(userId).toBe("u-1");
    for (const method of ["open", "forTask"] as const) {
      await expect(client[method]({ value: "who" })).rejects.toMatchObject({ code: Code.UNAUTHENTICATED });
    }
  });
});
