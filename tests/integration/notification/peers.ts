import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { DescService } from "@bufbuild/protobuf";
import { AuthService } from "#gen/auth/v1/auth_service_pb.js";
import { TaskService } from "#gen/task/v1/task_service_pb.js";
import type { User } from "#gen/user/v1/user_pb.js";
import { UserService } from "#gen/user/v1/user_service_pb.js";
import { Identity } from "#kit/auth/identity.ts";
import { keyPair, type TestIssuer, testIssuer } from "#kit/auth/testing.ts";
import { unavailable } from "#kit/errors.ts";
import { service, startGrpcServer } from "#kit/grpc/server.ts";
import type { ServiceImpl } from "#kit/grpc/service.ts";
import { newId } from "#kit/id.ts";
import { Lifecycle } from "#kit/lifecycle.ts";

/** The services that notifications need, answering over a real socket where the mesh's listener would be. */
export interface Peers {
  address: string;
  issuer: TestIssuer;
  /** Files as each process of the mesh gets them. */
  identityFiles(name: PeerName): { keyFile: string; jwksFile: string };
  identity(name: PeerName): Promise<Identity>;
  /** Makes a person that the user service knows. */
  addPerson(profile?: Profile): { userId: string; email: string };
  removePerson(userId: string): void;
  /** These people take part in a task together. */
  share(...userIds: string[]): void;
  /** While true, the user service is away. */
  usersAway: boolean;
  close(): Promise<void>;
}

type Profile = Partial<Pick<User, "userId" | "email" | "displayName" | "locale" | "timeZone">>;
export type PeerName = "gateway" | "user" | "notification" | "consumers" | "operator";
const names: PeerName[] = ["gateway", "user", "notification", "consumers", "operator"];

export async function startPeers(): Promise<Peers> {
  const folder = await mkdtemp(join(tmpdir(), "taskmesh-peers-"));
  const lifecycle = new Lifecycle();
  const issuer = testIssuer();
  const identityFiles = await writeIdentities(folder);
  const people = new Map<string, Profile & { userId: string }>();
  const tasks: string[][] = [];
  const peers = { usersAway: false };
  const { port } = await startGrpcServer({
    host: "127.0.0.1",
    port: 0,
    services: [
      service(
        AuthService,
        only(AuthService, {
          getJwks: async () => ({ keys: [...issuer.jwks.keys] }),
          listRevokedSessions: async () => ({ sessionIds: [] }),
        }),
      ),
      service(
        TaskService,
        only(TaskService, {
          findTaskPeers: async ({ userId, peerIds }) => ({
            peerIds: peerIds.filter((id) => tasks.some((members) => members.includes(id) && members.includes(userId))),
          }),
        }),
      ),
      service(
        UserService,
        only(UserService, {
          batchGetUsers: async ({ userIds }) => {
            if (peers.usersAway) throw unavailable("the user service is away");
            return { users: userIds.flatMap((id) => people.get(id) ?? []) };
          },
        }),
      ),
    ],
    identity: await Identity.load(identityFiles("user")),
    tokens: issuer.verifier(),
    lifecycle,
  });
  return Object.assign(peers, {
    address: `127.0.0.1:${port}`,
    issuer,
    identityFiles,
    identity: (name: PeerName) => Identity.load(identityFiles(name)),
    addPerson: (profile: Profile = {}) => {
      const { userId = newId() } = profile;
      const person = { userId, email: `p-${userId}@example.org`, displayName: "Anna", locale: "en", ...profile };
      people.set(userId, person);
      return person;
    },
    removePerson: (userId: string) => void people.delete(userId),
    share: (...userIds: string[]) => void tasks.push(userIds),
    close: async () => {
      await lifecycle.stop();
      await rm(folder, { recursive: true });
    },
  });
}

async function writeIdentities(folder: string) {
  const pairs = names.map((name) => ({ name, ...keyPair(name) }));
  const jwksFile = join(folder, "jwks.json");
  await writeFile(jwksFile, JSON.stringify({ keys: pairs.map(({ publicJwk }) => publicJwk) }));
  for (const { name, privateJwk } of pairs) await writeFile(join(folder, `${name}.json`), JSON.stringify(privateJwk));
  return (name: PeerName) => ({ keyFile: join(folder, `${name}.json`), jwksFile });
}

/** Some methods of a service; a call of any other fails. */
function only<S extends DescService>(desc: S, methods: Partial<ServiceImpl<S>>): ServiceImpl<S> {
  const missing = desc.methods.map(({ localName }) => [
    localName,
    async () => {
      throw new Error(`${localName} is not served here`);
    },
  ]);
  return { ...Object.fromEntries(missing), ...methods };
}
