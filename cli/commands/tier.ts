import { dirname, join } from "node:path";
import { AuthService, Tier } from "#gen/auth/v1/auth_service_pb.js";
import { Identity } from "#kit/auth/identity.ts";
import { ServiceError } from "#kit/errors.ts";
import { createClient, MeshChannel } from "#kit/grpc/client.ts";
import { askMesh } from "../runner/control.ts";
import { findHome } from "../runner/home.ts";
import type { MeshStatus } from "../runner/status.ts";
import { operator } from "../topology.ts";
import { UserError } from "../user-error.ts";
import { printJson } from "./output.ts";

const tiers: Record<string, Tier> = { standard: Tier.STANDARD, premium: Tier.PREMIUM };

/** `mesh tier ADDRESS premium`: which limits an account has. Its tokens say so from the next one on, within 15 minutes. */
export async function tier(email: string, wished: string, { json }: { json?: boolean }): Promise<void> {
  const value = tiers[wished];
  if (value === undefined) throw new UserError(`"${wished}" is no tier: it is one of ${Object.keys(tiers).join(", ")}`);
  const channel = new MeshChannel(await meshAddress());
  try {
    const auth = createClient(AuthService, channel, { identity: await Identity.load(keyFiles()) });
    const { userId } = await auth.setTier({ email, tier: value });
    if (json) printJson({ userId, tier: wished });
    else process.stdout.write(`${userId} is ${wished}, with its next access token\n`);
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
