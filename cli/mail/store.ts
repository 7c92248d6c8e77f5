import { createHash } from "node:crypto";
import { appendFile, mkdir, open, readdir, readFile, rename, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import PostalMime, { type Email } from "postal-mime";

/** What the list needs of a mail; the rest is read from its file when somebody looks at it. */
export interface MailEntry {
  /** The name of its file, without `.eml`: the SHA-256 of its Message-ID. */
  id: string;
  messageId: string;
  from: string;
  /** Addresses of the envelope and of To and Cc, in lower case. */
  to: string[];
  subject: string;
  receiveTime: Date;
}

export interface Mail extends MailEntry {
  text: string;
  html: string;
  headers: Record<string, string>;
}

export interface Envelope {
  from: string;
  to: readonly string[];
}

const suppressedFile = "suppressed.log";

/**
 * Mails on disk, one file each. A mail counts as accepted once it is safe there; one whose Message-ID is known already
 * is accepted and dropped, as mailbox servers do, and counted.
 */
export class MailStore {
  readonly #folder: string;
  readonly #entries = new Map<string, MailEntry>();
  readonly #arriving = new Map<string, Promise<void>>();
  #suppressed = 0;

  private constructor(folder: string) {
    this.#folder = folder;
  }

  /** Opens the folder with what it holds; drafts of a process that was killed were never accepted, and go. */
  static async open(folder: string): Promise<MailStore> {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    const store = new MailStore(folder);
    const names = await readdir(folder);
    for (const name of names) {
      if (name.endsWith(".draft")) await rm(join(folder, name), { force: true });
      if (name.endsWith(".eml")) await store.#load(name.slice(0, -".eml".length));
    }
    const log = await readFile(join(folder, suppressedFile), "utf8").catch(() => "");
    store.#suppressed = log.split("\n").length - 1;
    return store;
  }

  /** How many mails are kept, and how many were dropped because they were there already. */
  get counts(): { stored: number; suppressed: number } {
    return { stored: this.#entries.size, suppressed: this.#suppressed };
  }

  /** The newest first, of all or of those to one address. */
  list({ to, limit }: { to?: string; limit: number }): MailEntry[] {
    const wanted = to?.toLowerCase();
    const entries = [...this.#entries.values()].filter((entry) => wanted === undefined || entry.to.includes(wanted));
    return entries.sort((one, other) => other.receiveTime.getTime() - one.receiveTime.getTime()).slice(0, limit);
  }

  async read(id: string): Promise<Mail | undefined> {
    const entry = this.#entries.get(id);
    if (entry === undefined) return undefined;
    const email = await PostalMime.parse(await readFile(this.#path(id)));
    const headers = Object.fromEntries(email.headers.map(({ key, value }) => [key, value]));
    return { ...entry, text: email.text ?? "", html: email.html ?? "", headers };
  }

  /** Takes a mail; resolves when it is safe. Answers whether it was new. */
  async accept(message: Buffer, envelope: Envelope): Promise<boolean> {
    const email = await PostalMime.parse(message);
    const id = createHash("sha256")
      .update(email.messageId || message)
      .digest("hex");
    const arriving = this.#arriving.get(id);
    if (arriving !== undefined || this.#entries.has(id)) {
      // The first copy must be safe before the second is said to be.
      await arriving;
      await appendFile(join(this.#folder, suppressedFile), `${new Date().toISOString()} ${id}\n`, { mode: 0o600 });
      this.#suppressed++;
      return false;
    }
    const writing = this.#write(id, Buffer.concat([traceOf(envelope), message]));
    this.#arriving.set(id, writing);
    try {
      await writing;
      this.#entries.set(id, entryOf(id, email, envelope.to, new Date()));
    } finally {
      this.#arriving.delete(id);
    }
    return true;
  }

  /** Draft, fsync, rename, fsync of the folder: after that neither SIGKILL nor a power cut loses it. */
  async #write(id: string, content: Buffer): Promise<void> {
    const draft = `${this.#path(id)}.draft`;
    const file = await open(draft, "w", 0o600);
    try {
      await file.writeFile(content);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(draft, this.#path(id));
    const folder = await open(this.#folder, "r");
    try {
      await folder.sync();
    } finally {
      await folder.close();
    }
  }

  async #load(id: string): Promise<void> {
    const path = this.#path(id);
    const [content, { mtime }] = await Promise.all([readFile(path), stat(path)]);
    const email = await PostalMime.parse(content);
    const delivered = email.headers.filter(({ key }) => key === "delivered-to").map(({ value }) => value);
    this.#entries.set(id, entryOf(id, email, delivered, mtime));
  }

  #path(id: string): string {
    return join(this.#folder, `${id}.eml`);
  }
}

/** The lines that a delivering server puts before a message. */
function traceOf({ from, to }: Envelope): Buffer {
  const lines = [`Return-Path: <${from}>`, ...to.map((address) => `Delivered-To: ${address}`)];
  return Buffer.from(`${lines.join("\r\n")}\r\n`);
}

function entryOf(id: string, email: Email, envelopeTo: readonly string[], receiveTime: Date): MailEntry {
  const named = [...(email.to ?? []), ...(email.cc ?? [])].flatMap(({ address }) => address ?? []);
  return {
    id,
    messageId: email.messageId ?? "",
    from: email.from?.address ?? "",
    to: [...new Set([...envelopeTo, ...named].map((address) => address.toLowerCase()))],
    subject: email.subject ?? "",
    receiveTime,
  };
}
