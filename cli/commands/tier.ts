import { AuthService, Tier } from "#gen/auth/v1/auth_service_pb.js";
import { asOperator } from "../operator.ts";
import { UserError } from "../user-error.ts";
import { printJson } from "./output.ts";

const tiers: Record<string, Tier> = { standard: Tier.STANDARD, premium: Tier.PREMIUM };

/** `mesh tier ADDRESS premium`: which limits an account has. Its tokens say so from the next one on, within 15 minutes. */
export async function tier(email: string, wished: string, { json }: { json?: boolean }): Promise<void> {
  const value = tiers[wished];
  if (value === undefined) throw new UserError(`"${wished}" is no tier: it is one of ${Object.keys(tiers).join(", ")}`);
  const { userId } = await asOperator(AuthService, (auth) => auth.setTier({ email, tier: value }));
  if (json) printJson({ userId, tier: wished });
  else process.stdout.write(`${userId} is ${wished}, with its next access token\n`);
}
