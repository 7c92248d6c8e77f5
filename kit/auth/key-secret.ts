import { env, type Reader } from "../env.ts";

const length = 32;

/** 32 random bytes in base64, in a file: what sealing keys are derived from. */
export function keySecret(variable: string): Reader<Buffer> {
  const file = env.secretFile(variable);
  return {
    ...file,
    expects: `the path of a file that holds ${length} bytes in base64`,
    fallback: undefined,
    parse: (path) => {
      const secret = Buffer.from(file.parse(path) ?? "", "base64");
      return secret.length === length ? secret : undefined;
    },
  };
}
