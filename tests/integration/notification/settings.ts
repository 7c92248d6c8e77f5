import { randomBytes } from "node:crypto";
import { newPushKeyFile } from "../../_util/push-keys.ts";

export const from = { address: "no-reply@mesh.example", name: "Taskmesh" };
export const publicUrl = "https://mesh.example";

/** What the operator decides. What people gave may lead to this machine. */
export const settings = (smtpUrl: string, pushKeyFile = newPushKeyFile(), webhookSecret = randomBytes(32)) => ({
  mail: { smtpUrl, from, publicUrl },
  push: { keyFile: pushKeyFile, subject: "mailto:operator@mesh.example" },
  outbound: { allowHttp: true, allowedNetworks: ["127.0.0.0/8"] },
  webhook: { keySecret: webhookSecret, patience: { failures: 10, seconds: 3600 } },
  reminderLateSeconds: 3600,
});
