import { dirname, join } from "node:path";
import type { DescService } from "@bufbuild/protobuf";
import { Identity } from "#kit/auth/identity.ts";
import { ServiceError } from "#kit/errors.ts";
import { type Client, createClient, MeshChannel } from "#kit/grpc/client.ts";
import { askMesh } from "./runner/control.ts";
import { findHome } from "./runner/home.ts";
import type { MeshStatus } from "./runner/status.ts";
import { operator } from "./topology.ts";
import { UserError } from "./user-error.ts";

/** Runs something with a client of the running mesh's service that calls as its operator; refusals become one plain line. */
export async function asOperator<S extends DescService, T>(
  service: S,
  run: (client: Client<S>) => Promise<T>,
): Promise<T> {
  const channel = new MeshChannel(await meshAddress());
  try {
    return await run(createClient(service, channel, { identity: await Identity.load(keyFiles()) }));
  } catch (error) {
    throw error instanceof ServiceError ? new UserError(error.message) : error;
  } finally {
    channel.close();
  }
}

/** Inside a container the environment says where the mesh is; elsewhere it is the one of this checkout. */
async function meshAddress(): Promise<string> {
  if (process.env.MESH_ADDRESS) return process.env.MESH_ADDRESS;
  const { instances } = await askMesh<MeshStatus>(findHome(), { command: "ps" });
  const port = instances.find(({ name }) => name === "envoy")?.ports.mesh;
  if (port === undefined) throw new UserError("the mesh has no listener yet: wait until it is ready");
  return `127.0.0.1:${port}`;
}

function keyFiles(): { keyFile: string; jwksFile: string } {
  const given = process.env.MESH_IDENTITY_JWKS_FILE;
  const folder = given ? dirname(given) : findHome().keys;
  return { keyFile: join(folder, `${operator}.jwk.json`), jwksFile: join(folder, "services.jwks.json") };
}
