import { UserError } from "../../user-error.ts";

const factors: Readonly<Record<string, number>> = {
  m: 1e-3,
  "": 1,
  k: 1e3,
  M: 1e6,
  G: 1e9,
  T: 1e12,
  Ki: 2 ** 10,
  Mi: 2 ** 20,
  Gi: 2 ** 30,
  Ti: 2 ** 40,
};

/** Reads a quantity as Kubernetes writes it: `250m` is 0.25, `256Mi` is 268435456. Throws one line for anything else. */
export function parseQuantity(value: unknown): number {
  const [, number, unit = ""] = /^(\d+(?:\.\d+)?)([A-Za-z]*)$/.exec(String(value)) ?? [];
  const factor = factors[unit];
  if (number === undefined || factor === undefined)
    throw new UserError(`"${value}" is no quantity such as 250m or 256Mi`);
  return Number(number) * factor;
}
