import type { AddressInfo } from "node:net";
import PostalMime, { type Email } from "postal-mime";
import { SMTPServer } from "smtp-server";

export interface ReceivedMail {
  /** From the envelope. */
  recipients: string[];
  raw: string;
  mail: Email;
}

/** A real SMTP server that keeps what it takes. */
export interface Mailbox {
  readonly url: string;
  /** Everything that was taken, in its order; a second copy too. */
  readonly mails: ReceivedMail[];
  /** How often somebody began a mail. */
  readonly attempts: number;
  /** Decides about each mail before it is taken; an error with a responseCode refuses it. */
  onMail: (mail: ReceivedMail) => Promise<void> | void;
  /** Refuses a recipient before there is a mail. */
  onRecipient: (address: string) => void;
  to(address: string): ReceivedMail[];
  stop(): Promise<void>;
}

/** An answer of the server that is not 250. */
export function smtpError(responseCode: number): Error {
  return Object.assign(new Error("refused"), { responseCode });
}

export async function startMailbox(port = 0): Promise<Mailbox> {
  const mailbox = {
    url: "",
    mails: [] as ReceivedMail[],
    attempts: 0,
    onMail: (_: ReceivedMail): Promise<void> | void => {},
    onRecipient: (_: string): void => {},
  };
  const server = new SMTPServer({
    disabledCommands: ["STARTTLS", "AUTH"],
    onRcptTo: ({ address }, _session, callback) => {
      mailbox.attempts += 1;
      try {
        mailbox.onRecipient(address);
        callback();
      } catch (error) {
        callback(error as Error);
      }
    },
    onData: async (stream, session, callback) => {
      try {
        const raw = Buffer.concat(await stream.toArray());
        const recipients = session.envelope.rcptTo.map(({ address }) => address);
        const received = { recipients, raw: raw.toString(), mail: await PostalMime.parse(raw) };
        await mailbox.onMail(received);
        mailbox.mails.push(received);
        callback();
      } catch (error) {
        callback(error as Error);
      }
    },
  });
  server.on("error", () => {});
  await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve));
  mailbox.url = `smtp://127.0.0.1:${(server.server.address() as AddressInfo).port}`;
  return Object.assign(mailbox, {
    to: (address: string) => mailbox.mails.filter(({ recipients }) => recipients.includes(address)),
    stop: () => new Promise<void>((resolve) => server.close(resolve)),
  });
}
