import { randomUUID } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import { type Account, Lane } from "./lane.ts";

/** Opens an account through the edge, as people do. */
export async function openAccount(
  edge: string,
  name: string,
  mark = Lane.newMark(),
): Promise<Account & { mark: string }> {
  const [email, password] = [`${name}.${mark}@example.com`, randomUUID()];
  const body = JSON.stringify({ email, password, displayName: name });
  for (let tries = 0; tries < 20; tries++) {
    const headers = { "content-type": "application/json" };
    const response = await fetch(`${edge}/v1/auth/register`, { method: "POST", headers, body });
    const answer = (await response.json()) as { accessToken: string; user: { userId: string } };
    if (response.ok) return { email, password, mark, userId: answer.user.userId, accessToken: answer.accessToken };
    if (response.status !== 429) throw new Error(`register answered ${response.status}: ${JSON.stringify(answer)}`);
    await delay(500);
  }
  throw new Error("no account could be opened: the edge answers 429");
}
