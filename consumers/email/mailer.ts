import { createTransport, type Transporter } from "nodemailer";
import { unavailable } from "#kit/errors.ts";
import { attributes } from "#observability/names.ts";
import { SpanKind, setAttributes, withSpan } from "#observability/tracing.ts";
import type { Mail } from "./message.ts";

/** What the mail server said: it has taken the mail, or it never will. */
export type Receipt = { accepted: true } | { accepted: false; failure: string };

export interface MailerOptions {
  /** smtp:// or smtps://, with user, password and nodemailer's options as the URL's parts. */
  url: string;
  /** For each step of the conversation with the server, in milliseconds. */
  timeoutMs?: number;
  connections?: number;
}

// Codes of the 5xx class that speak of our own access, not of the mail: RFC 4954 section 6.
const aboutAccess = new Set([530, 534, 535, 538]);

/** Sends mails over a pool of SMTP connections. */
export class Mailer {
  readonly #transport: Transporter;
  readonly #server: { host: string; port: number };

  constructor({ url, timeoutMs = 5000, connections = 5 }: MailerOptions) {
    const { hostname, port, protocol } = new URL(url);
    this.#server = { host: hostname, port: Number(port) || (protocol === "smtps:" ? 465 : 587) };
    this.#transport = createTransport({
      url,
      pool: true,
      maxConnections: connections,
      // Trying again is the consumer's part: two layers of retries would multiply.
      maxRequeues: 0,
      connectionTimeout: timeoutMs,
      greetingTimeout: timeoutMs,
      socketTimeout: timeoutMs,
      dnsTimeout: timeoutMs,
    });
  }

  /** Throws UNAVAILABLE when it makes sense to try again later. */
  async send(mail: Mail, signal: AbortSignal): Promise<Receipt> {
    const given = { [attributes.serverAddress]: this.#server.host, [attributes.serverPort]: this.#server.port };
    return withSpan("send mail", { kind: SpanKind.CLIENT, attributes: given }, async (span) => {
      const receipt = await this.#transport
        .sendMail({ ...mail, signal })
        .then((): Receipt => ({ accepted: true }), refusal);
      setAttributes(span, { [attributes.outcome]: receipt.accepted ? "accepted" : receipt.failure });
      return receipt;
    });
  }

  close(): void {
    this.#transport.close();
  }
}

/** The server's own text stays here: it may repeat the recipient's address. */
function refusal(error: unknown): Receipt {
  const { code, responseCode } = error as { code?: string; responseCode?: number };
  const aboutMail = code === "EENVELOPE" || code === "EMESSAGE";
  if (aboutMail && responseCode !== undefined && responseCode >= 500 && !aboutAccess.has(responseCode))
    return { accepted: false, failure: `smtp_${responseCode}` };
  throw unavailable(`the mail server did not take the mail: ${responseCode ?? code ?? "no answer"}`);
}
