import type { AddressInfo } from "node:net";
import { SMTPServer, type SMTPServerDataStream, type SMTPServerSession } from "smtp-server";
import type { MailStore } from "./store.ts";

const mostBytes = 10 * 1024 * 1024;

/** Listens for mails from anybody to anybody; 250 is said only once a mail is safe in the store. */
export async function startSmtp(
  store: MailStore,
  { host, port }: { host: string; port: number },
): Promise<{ port: number; close(): Promise<void> }> {
  const server = new SMTPServer({
    banner: "Taskmesh development mail server",
    disabledCommands: ["AUTH", "STARTTLS"],
    disableReverseLookup: true,
    size: mostBytes,
    closeTimeout: 2000,
    onData: (stream, session, callback) => {
      receive(store, stream, session).then(
        () => callback(null),
        (error: { responseCode?: number }) =>
          callback(Object.assign(new Error("the mail was not stored"), { responseCode: error.responseCode ?? 451 })),
      );
    },
  });
  // A client that goes away in the middle is no fault of ours.
  server.on("error", () => {});
  await new Promise<void>((resolve, reject) => {
    server.server.once("error", reject);
    server.listen(port, host, resolve);
  });
  return {
    port: (server.server.address() as AddressInfo).port,
    close: () => new Promise((resolve) => server.close(() => resolve())),
  };
}

async function receive(store: MailStore, stream: SMTPServerDataStream, session: SMTPServerSession): Promise<void> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) {
    // What is too long is read to its end, as SMTP wants, but not kept.
    if (!stream.sizeExceeded) chunks.push(chunk as Buffer);
  }
  if (stream.sizeExceeded) throw Object.assign(new Error("too long"), { responseCode: 552 });
  const { mailFrom, rcptTo } = session.envelope;
  await store.accept(Buffer.concat(chunks), {
    from: mailFrom === false ? "" : mailFrom.address,
    to: rcptTo.map(({ address }) => address),
  });
}
