import { askMesh } from "../runner/control.ts";
import { findHome } from "../runner/home.ts";
import type { MeshStatus } from "../runner/status.ts";
import { UserError } from "../user-error.ts";
import type { Picture } from "./picture.ts";
import { opsTokenFile, readOpsToken } from "./token.ts";

/** Where the ops server of a mesh is, and what lets us in. */
export interface OpsAddress {
  url: string;
  token: string;
}

/** The ops server of OPS_URL with the token in OPS_TOKEN_FILE, else that of the mesh that runs here. */
export async function findOps(): Promise<OpsAddress> {
  const home = findHome();
  const token = () => readOpsToken(process.env.OPS_TOKEN_FILE || opsTokenFile(home.keys));
  if (process.env.OPS_URL) return { url: process.env.OPS_URL.replace(/\/+$/, ""), token: token() };
  const { addresses } = await askMesh<MeshStatus>(home, { command: "ps" });
  const url = addresses.find(({ name }) => name === "ops")?.url;
  if (url === undefined) throw new UserError("This mesh has no pages for operators: stop it and start it again");
  return { url: url.replace(/\/ops$/, ""), token: token() };
}

/** A link that is good once, and within ten minutes. */
export async function ticketLink(ops: OpsAddress): Promise<string> {
  const response = await ask(ops, "/ops/tickets", { method: "POST" });
  const { ticket } = (await response.json()) as { ticket: string };
  return `${ops.url}/ops/enter?ticket=${ticket}`;
}

/** One picture with rates. */
export async function fetchPicture(ops: OpsAddress, signal?: AbortSignal): Promise<Picture> {
  return (await (await ask(ops, "/ops/api/picture", { signal })).json()) as Picture;
}

/** Pictures as they are taken, about one a second, until the signal aborts or the server ends. */
export async function* watchPictures(ops: OpsAddress, signal: AbortSignal): AsyncGenerator<Picture> {
  const { body } = await ask(ops, "/ops/api/stream", { signal });
  let rest = "";
  for await (const text of body?.pipeThrough(new TextDecoderStream()) ?? []) {
    const blocks = (rest + text).split("\n\n");
    rest = blocks.pop() ?? "";
    for (const block of blocks) if (block.startsWith("data: ")) yield JSON.parse(block.slice(6)) as Picture;
  }
}

async function ask({ url, token }: OpsAddress, path: string, init: RequestInit): Promise<Response> {
  const headers = { authorization: `Bearer ${token}` };
  const response = await fetch(url + path, { ...init, headers }).catch((error: unknown) => {
    if (init.signal?.aborted) throw error;
    throw new UserError(`The ops server does not answer at ${url}: see \`npx mesh ps\``);
  });
  if (response.ok) return response;
  await response.body?.cancel();
  if (response.status === 401)
    throw new UserError(`The ops server at ${url} does not know our token: restart the mesh`);
  throw new UserError(`The ops server at ${url} answered ${response.status}`);
}
