import { type EnvSchema, env, readEnv } from "#kit/env.ts";

export const environment = {
  host: env.host("HOST", { default: "127.0.0.1" }),
  smtpPort: env.port("SMTP_PORT", { default: 1025 }),
  webPort: env.port("MAIL_UI_PORT", { default: 1080 }),
  folder: env.string("MAIL_FOLDER", { default: ".mesh/mail" }),
} satisfies EnvSchema;

export function readMailConfig(source: Record<string, string | undefined> = process.env) {
  return readEnv(environment, source);
}
