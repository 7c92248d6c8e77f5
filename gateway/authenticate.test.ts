import { expect, test, vi } from "vitest";
import { ErrorReason } from "#gen/mesh/v1/error_reason_pb.js";
import { TaskService } from "#gen/task/v1/task_service_pb.js";
import { newApiKey } from "#kit/auth/api-key.ts";
import { unauthenticated, unavailable } from "#kit/errors.ts";
import { newId } from "#kit/id.ts";
import { authenticate } from "./authenticate.ts";

const key = newApiKey(newId());

/** A call that brings an API key, whose token is then found to be of no use. */
async function withKey(fault: Error) {
  const forget = vi.fn();
  const call = {
    requestId: newId(),
    clientAddress: "192.0.2.1",
    headers: { authorization: `Bearer ${key}` },
    startTime: 0,
    answerHeader: () => {},
  };
  const failure = await authenticate(call, TaskService.method.getTask, {
    tokens: { verify: () => Promise.reject(fault) },
    apiKeys: { accessToken: async () => "token", forget },
    limits: { countCall: async () => {} },
  }).catch((error: unknown) => error);
  return { failure, forget };
}

test("the token of a key that was revoked is dropped", async () => {
  const { failure, forget } = await withKey(
    unauthenticated(ErrorReason.TOKEN_INVALID, "the access token is not valid"),
  );
  expect(failure).toMatchObject({ reason: ErrorReason.TOKEN_INVALID, message: "the API key is not valid" });
  expect(forget).toHaveBeenCalledWith(key);
});

test("the token of a key is kept while nobody can tell whether it is good", async () => {
  const { failure, forget } = await withKey(unavailable("the keys cannot be had"));
  expect(failure).toMatchObject({ reason: ErrorReason.UNAVAILABLE });
  expect(forget).not.toHaveBeenCalled();
});
