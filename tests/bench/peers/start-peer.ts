import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

export interface Peer {
  url: string;
  pid: number;
  stop(): Promise<void>;
}

/** Runs one of the peers in a process of its own and answers once it listens. Files are of TypeScript unless they say otherwise. */
export async function startPeer(name: string, env: Record<string, string> = {}): Promise<Peer> {
  const entry = fileURLToPath(new URL(name.includes(".") ? name : `${name}.ts`, import.meta.url));
  const child = spawn(process.execPath, ["--max-old-space-size=256", entry], {
    env: { PATH: process.env.PATH, ...env },
    stdio: ["ignore", "pipe", "inherit"],
  });
  const stop = async () => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, "exit");
    child.kill();
    await ended;
  };
  for await (const line of createInterface({ input: child.stdout })) {
    const url = /^listening (\S+)$/.exec(line)?.[1];
    if (url !== undefined && child.pid !== undefined) return { url, pid: child.pid, stop };
  }
  throw new Error(`the peer ${name} ended before it listened`);
}
