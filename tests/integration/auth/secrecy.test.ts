import { type ChildProcess, spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { AuthService } from "#gen/auth/v1/auth_service_pb.js";
import type { UserService } from "#gen/user/v1/user_service_pb.js";
import { newApiKey } from "#kit/auth/api-key.ts";
import type { Client } from "#kit/grpc/client.ts";
import { newId } from "#kit/id.ts";
import { until } from "../../_util/until.ts";
import { as, from, newEmail, Pair } from "./pair.ts";

let pair: Pair;
let auth: Client<typeof AuthService>;
let user: Client<typeof UserService>;
const processes: { child: ChildProcess; output: string[] }[] = [];

beforeAll(async () => {
  pair = await Pair.prepare();
  for (const name of ["auth", "user"] as const) processes.push(run(name));
  [auth, user] = await Promise.all([pair.auth(), pair.user()]);
  await until("both services", () => processes.every(({ output }) => output.join("").includes('"message":"ready"')));
});
afterAll(async () => {
  for (const { child } of processes) child.kill("SIGKILL");
  await pair.close();
});

function run(name: "auth" | "user") {
  const output: string[] = [];
  const child = spawn(process.execPath, ["--import", "./observability/register.ts", `services/${name}/main.ts`], {
    env: { ...pair.env(name), SERVICE_NAME: name, LOG_LEVEL: "trace", PATH: process.env.PATH },
  });
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (data) => output.push(String(data)));
  return { child, output };
}

const swallow = (call: Promise<unknown>) => call.catch(() => undefined);

describe("what the processes print", () => {
  it("holds no password, token, address or name, whatever is called and however it fails", async () => {
    const email = `canary-mail-${newEmail()}`;
    const password = "canary-password-1";
    const displayName = "canary-name";
    const made = await auth.register({ email, password, displayName }, from("192.0.2.1"));
    const tokens = await auth.refreshToken({ refreshToken: made.refreshToken });
    await auth.register({ email, password: "canary-password-2", displayName });
    await swallow(auth.login({ email, password: "canary-password-3" }));
    await swallow(auth.login({ email: "canary-mail-\0", password: "canary-password-4" }));
    await swallow(auth.register({ email: "canary-mail", password: "canary-password-5", displayName }));
    await swallow(auth.register({ email, password: "password", displayName }));
    await swallow(auth.refreshToken({ refreshToken: "canary-token" }));
    const keyed = { headers: { ...as(made.accessToken).headers, "idempotency-key": randomUUID() } };
    const { key } = await auth.createApiKey({ name: "canary-key", scopes: ["users:read"] }, keyed);
    const ofKey = await auth.exchangeApiKey({ key });
    await user.getMe({}, as(ofKey.accessToken));
    await swallow(user.updateMe({ user: { displayName: "canary-name-3" } }, as(ofKey.accessToken)));
    await swallow(auth.exchangeApiKey({ key: `${key}canary` }));
    await swallow(auth.exchangeApiKey({ key: newApiKey(newId()) }));
    await swallow(auth.createApiKey({ name: "canary-key", scopes: ["canary"] }, as(made.accessToken)));
    await swallow(auth.login({ email, password: "canary-password-6" }, keyed));
    await user.getMe({}, as(tokens.accessToken));
    await user.updateMe({ user: { displayName: "canary-name-2" } }, as(tokens.accessToken));
    await swallow(user.updateMe({ user: { timeZone: "canary/zone" } }, as(tokens.accessToken)));
    await swallow(user.lookupUser({ email: `canary-mail-${newEmail()}` }, as(tokens.accessToken)));
    await swallow(user.getMe({}, as("canary.token.canary")));
    await pair.authDb.query("ALTER TABLE api_key RENAME TO api_key_away");
    await swallow(auth.exchangeApiKey({ key }));
    await pair.authDb.query("ALTER TABLE api_key_away RENAME TO api_key");
    await pair.authDb.query("ALTER TABLE session RENAME TO session_away");
    await swallow(auth.login({ email, password }));
    await swallow(auth.refreshToken({ refreshToken: tokens.refreshToken }));
    await pair.authDb.query("ALTER TABLE session_away RENAME TO session");
    await pair.authDb.query("ALTER TABLE account ADD CONSTRAINT refuse CHECK (email NOT LIKE 'canary-mail-refused%')");
    await swallow(auth.register({ email: `canary-mail-refused-${newEmail()}`, password, displayName }));
    await auth.logout({}, as(tokens.accessToken));

    for (const { child } of processes) child.kill("SIGTERM");
    const codes = await Promise.all(
      processes.map(async ({ child }) => child.exitCode ?? (await once(child, "exit"))[0]),
    );
    expect(codes).toEqual([0, 0]);
    const printed = processes.flatMap(({ output }) => output).join("");
    expect(printed).toContain("account registered");
    expect(printed).toContain("profile changed");
    expect(printed).toContain('"message":"call failed"');
    const secrets = [
      "canary",
      "tmk_",
      key.slice(-49),
      ofKey.accessToken,
      made.accessToken,
      made.refreshToken,
      tokens.accessToken,
      tokens.refreshToken,
      "$argon2",
    ];
    for (const secret of secrets) expect(printed).not.toContain(secret);
  });
});
