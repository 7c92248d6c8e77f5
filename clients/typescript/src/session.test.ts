import { Code } from "@connectrpc/connect";
import { afterEach, describe, expect, it } from "vitest";
import { AuthService } from "../../../proto/gen/auth/v1/auth_service_pb.js";
import { TaskService } from "../../../proto/gen/task/v1/task_service_pb.js";
import { UserService } from "../../../proto/gen/user/v1/user_service_pb.js";
import { Taskmesh, type TaskmeshOptions } from "./client.ts";
import { reasonOf } from "./errors.ts";
import type { Tokens } from "./session.ts";
import { demandToken, failure, startServer, type TestServer, tokens } from "./testing.ts";

let server: TestServer;
afterEach(() => server.close());

const expired = (generation: number): Tokens => ({ ...tokens(generation), expireTime: Date.now() - 1 });

/** A mesh that takes the tokens of one generation, and a person who has those of the first. */
async function start(
  {
    good = 2,
    refresh = () => tokens(2),
  }: { good?: number; refresh?: (refreshToken: string) => Tokens | Promise<Tokens> },
  options: Partial<TaskmeshOptions> = {},
) {
  server = await startServer(({ service }) => {
    service(AuthService, {
      refreshToken: ({ refreshToken }) => refresh(refreshToken),
      login: ({ password }) => {
        if (password === "right") return tokens(good);
        throw failure(Code.Unauthenticated, "CREDENTIALS_INVALID");
      },
      logout: (_request, { requestHeader }) => {
        demandToken(requestHeader, `access-${good}`);
        return {};
      },
    });
    service(UserService, {
      getMe: (_request, { requestHeader }) => {
        demandToken(requestHeader, `access-${good}`);
        return { user: { displayName: requestHeader.get("authorization") ?? "" } };
      },
    });
    service(TaskService, {
      completeTask: () => {
        throw failure(Code.Unauthenticated, "CREDENTIALS_INVALID");
      },
    });
  });
  const told: (Tokens | undefined)[] = [];
  const mesh = new Taskmesh({ baseUrl: server.url, onTokens: (fresh) => told.push(fresh), ...options });
  return { mesh, told };
}

const count = (method: string) => server.arrivals.filter(({ path }) => path.endsWith(`/${method}`)).length;

it("an API key is sent in the place of tokens, and nothing is refreshed", async () => {
  const { mesh } = await start({}, { apiKey: "access-2", tokens: expired(1) });
  const { user } = await mesh.users.getMe({});
  expect(user?.displayName).toBe("Bearer access-2");
  expect(count("RefreshToken")).toBe(0);
});

describe("a token that has expired", () => {
  it("is refreshed once for 25 calls at a time", async () => {
    const { mesh, told } = await start({}, { tokens: expired(1) });
    const answers = await Promise.all(Array.from({ length: 25 }, () => mesh.users.getMe({})));
    expect(answers.map(({ user }) => user?.displayName)).toEqual(Array(25).fill("Bearer access-2"));
    expect([count("RefreshToken"), count("GetMe")]).toEqual([1, 25]);
    expect(told).toEqual([expect.objectContaining(tokens(2))]);
  });

  it("and that only the mesh knows of is refreshed once for 25 calls, each of which is made again once", async () => {
    const { mesh } = await start({}, { tokens: tokens(1) });
    await Promise.all(Array.from({ length: 25 }, () => mesh.users.getMe({})));
    expect([count("RefreshToken"), count("GetMe")]).toEqual([1, 50]);
  });

  it("is not refreshed again and again when the fresh one is refused too", async () => {
    const { mesh } = await start({ good: 7 }, { tokens: tokens(1) });
    await expect(mesh.users.getMe({})).rejects.toMatchObject({ code: Code.Unauthenticated });
    expect([count("RefreshToken"), count("GetMe")]).toEqual([1, 2]);
  });

  it("is refreshed by a second attempt when the mesh is away for a moment", async () => {
    let attempts = 0;
    const refresh = () => {
      attempts++;
      if (attempts === 1) throw failure(Code.Unavailable, "UNAVAILABLE", 1);
      return tokens(2);
    };
    const { mesh } = await start({ refresh }, { tokens: expired(1) });
    await mesh.users.getMe({});
    expect(count("RefreshToken")).toBe(2);
  });

  it("keeps its person signed in while the mesh stays away", async () => {
    const refresh = () => {
      throw failure(Code.Unavailable, "UNAVAILABLE");
    };
    const { mesh, told } = await start({ refresh }, { tokens: expired(1), attempts: 1 });
    await expect(mesh.users.getMe({})).rejects.toMatchObject({ code: Code.Unavailable });
    expect(mesh.tokens?.refreshToken).toBe("refresh-1");
    expect(told).toEqual([]);
  });

  it("signs its person out when it cannot be traded any more", async () => {
    const refresh = () => {
      throw failure(Code.Unauthenticated, "REFRESH_TOKEN_INVALID");
    };
    const { mesh, told } = await start({ refresh }, { tokens: tokens(1) });
    const error = await mesh.users.getMe({}).catch((caught: unknown) => caught);
    expect(reasonOf(error)).toBe("REFRESH_TOKEN_INVALID");
    expect(mesh.tokens).toBeUndefined();
    expect(told).toEqual([undefined]);
  });

  it("is not traded when another tab has traded it already", async () => {
    const { mesh, told } = await start({}, { tokens: expired(1), readTokens: () => tokens(2) });
    await mesh.users.getMe({});
    expect(count("RefreshToken")).toBe(0);
    expect(mesh.tokens).toMatchObject(tokens(2));
    expect(told).toEqual([]);
  });

  it("is refreshed for others when one of those who wait goes away", async () => {
    const { mesh } = await start({}, { tokens: expired(1) });
    const leaver = new AbortController();
    const left = mesh.users.getMe({}, { signal: leaver.signal });
    const stayed = mesh.users.getMe({});
    leaver.abort();
    await expect(left).rejects.toMatchObject({ code: Code.Canceled });
    expect((await stayed).user?.displayName).toBe("Bearer access-2");
  });
});

describe("a token that is good", () => {
  it("goes with the calls of a person, and with no others", async () => {
    const { mesh } = await start({}, { tokens: tokens(2) });
    await mesh.users.getMe({});
    await mesh.auth.login({ email: "ann@example.com", password: "right" });
    expect(server.arrivals.map(({ headers }) => headers.authorization)).toEqual(["Bearer access-2", undefined]);
  });

  it("does not replace one that the call brings itself", async () => {
    const { mesh } = await start({ good: 5 }, { tokens: tokens(2) });
    const answer = await mesh.users.getMe({}, { headers: { authorization: "Bearer access-5" } });
    expect(answer.user?.displayName).toBe("Bearer access-5");
  });

  it("is not refreshed because of credentials that are wrong", async () => {
    const { mesh } = await start({}, { tokens: tokens(1) });
    for (const call of [
      mesh.auth.login({ email: "ann@example.com", password: "wrong" }),
      mesh.tasks.completeTask({ taskId: "1" }),
    ]) {
      expect(reasonOf(await call.catch((caught: unknown) => caught))).toBe("CREDENTIALS_INVALID");
    }
    expect(count("RefreshToken")).toBe(0);
  });
});

describe("signing in and out", () => {
  it("keeps the tokens, with the time when they expire, and forgets them", async () => {
    const { mesh, told } = await start({});
    const before = Date.now();
    await mesh.auth.login({ email: "ann@example.com", password: "right" });
    expect(mesh.tokens).toMatchObject(tokens(2));
    expect(mesh.tokens?.expireTime).toBeGreaterThanOrEqual(before + 900_000);
    await mesh.auth.logout({});
    expect(mesh.tokens).toBeUndefined();
    expect(told).toEqual([expect.objectContaining(tokens(2)), undefined]);
  });

  it("has the last word over a refresh that was under way", async () => {
    const asked = Promise.withResolvers<void>();
    const released = Promise.withResolvers<Tokens>();
    const refresh = () => {
      asked.resolve();
      return released.promise;
    };
    const { mesh } = await start({ good: 5, refresh }, { tokens: expired(1) });
    const call = mesh.users.getMe({});
    await asked.promise;
    await mesh.auth.login({ email: "ann@example.com", password: "right" });
    released.resolve(tokens(2));
    expect((await call).user?.displayName).toBe("Bearer access-5");
    expect(mesh.tokens).toMatchObject(tokens(5));
  });

  it("is out when the mesh does not know the session any more", async () => {
    const refresh = () => {
      throw failure(Code.Unauthenticated, "REFRESH_TOKEN_INVALID");
    };
    const { mesh } = await start({ refresh }, { tokens: tokens(1) });
    await expect(mesh.auth.logout({})).rejects.toMatchObject({ code: Code.Unauthenticated });
    expect(mesh.tokens).toBeUndefined();
  });
});
