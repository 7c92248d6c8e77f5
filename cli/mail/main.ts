// The mail server of a development system: takes every mail, keeps it on disk, and shows it. It sends nothing on.
import { ConfigError } from "#kit/env.ts";
import { messageOf } from "../user-error.ts";
import { readMailConfig } from "./config.ts";
import { startHttp } from "./http.ts";
import { startSmtp } from "./smtp.ts";
import { MailStore } from "./store.ts";

try {
  const { host, smtpPort, webPort, folder } = readMailConfig();
  const store = await MailStore.open(folder);
  const smtp = await startSmtp(store, { host, port: smtpPort });
  const http = await startHttp(store, { host, port: webPort });
  const stop = async () => {
    await Promise.all([smtp.close(), http.close()]);
    process.exit(0);
  };
  process.once("SIGTERM", stop);
  process.once("SIGINT", stop);
} catch (error) {
  const lines = error instanceof ConfigError ? error.message.split("\n") : [messageOf(error)];
  process.stderr.write(lines.map((line) => `mail cannot start: ${line}\n`).join(""));
  process.exit(1);
}
