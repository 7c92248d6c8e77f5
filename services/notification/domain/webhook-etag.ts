/** Changes with everything that is shown of a webhook. */
export function webhookEtag(webhook: { version: number; failures: number; failingSince: Date | null }): string {
  const { version, failures, failingSince } = webhook;
  return [version, failures, failingSince?.getTime() ?? 0].map((part) => part.toString(36)).join("-");
}
