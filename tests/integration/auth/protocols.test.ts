import { type CallOptions, createClient, type Transport } from "@connectrpc/connect";
import { createConnectTransport, createGrpcTransport, createGrpcWebTransport } from "@connectrpc/connect-node";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { AuthService } from "#gen/auth/v1/auth_service_pb.js";
import { call } from "../../_util/person.ts";
import { KeyEdge } from "./key-edge.ts";
import { newEmail, Pair, password } from "./pair.ts";

let pair: Pair;
let edge: KeyEdge;
let http: string;
let transports: Record<string, Transport>;
const email = newEmail();

beforeAll(async () => {
  pair = await Pair.start();
  edge = await KeyEdge.start(pair);
  const { http: baseUrl, grpc } = await edge.gatewayOfBoth();
  http = baseUrl;
  transports = {
    "Connect JSON": createConnectTransport({ baseUrl, httpVersion: "1.1", useBinaryFormat: false }),
    Connect: createConnectTransport({ baseUrl, httpVersion: "1.1", useBinaryFormat: true }),
    "gRPC-Web": createGrpcWebTransport({ baseUrl: grpc, httpVersion: "2" }),
    gRPC: createGrpcTransport({ baseUrl: grpc }),
  };
  const { status } = await call(http, "POST /v1/auth/register", { email, password, displayName: "Ada" });
  expect(status).toBe(200);
});
afterAll(async () => {
  await edge.close();
  await pair.close();
});

describe("[auth.11] accounts by gRPC, Connect and REST", () => {
  test.each(["Connect JSON", "Connect", "gRPC-Web", "gRPC"])("%s does what REST does", async (protocol) => {
    const auth = createClient(AuthService, transports[protocol] as Transport);
    const { accessToken, refreshToken, user } = await auth.login({ email, password });
    expect(user).toMatchObject({ email, displayName: "Ada" });
    const options: CallOptions = { headers: { authorization: `Bearer ${accessToken}` } };
    const made = await auth.createApiKey({ name: protocol, scopes: ["users:read"] }, options);

    const byRest = await call(http, "GET /v1/apiKeys", undefined, { token: accessToken });
    const { apiKeys } = await auth.listApiKeys({}, options);
    expect(apiKeys.map(({ apiKeyId }) => apiKeyId)).toEqual(
      byRest.body.apiKeys.map(({ apiKeyId }: { apiKeyId: string }) => apiKeyId),
    );
    const me = await call(http, "GET /v1/me", undefined, { token: made.key });
    expect(me.body).toMatchObject({ email });
    await auth.revokeApiKey({ apiKeyId: made.apiKey?.apiKeyId ?? "" }, options);
    const left = await call(http, "GET /v1/apiKeys", undefined, { token: accessToken });
    expect(left.body.apiKeys).not.toContainEqual(expect.objectContaining({ name: protocol }));

    expect((await auth.refreshToken({ refreshToken })).user).toEqual(user);
    await auth.logout({}, options);
    const wrong = { email, password: "another password" };
    const refused = await call(http, "POST /v1/auth/login", wrong);
    expect(refused).toMatchObject({ status: 401, body: { reason: "CREDENTIALS_INVALID" } });
    await expect(auth.login(wrong)).rejects.toMatchObject({ rawMessage: refused.body.detail });
    // A success forgives the failures, of which the next protocol would have to bear the rest.
    await auth.login({ email, password });
  });
});
