import { ConfigError } from "./env.ts";

/** What to tell of an error of listening: of a port that is taken, a plain line with what to do; else the error itself. */
export function listenFault(error: unknown, port: number, variable: string): unknown {
  const { code, message } = error as { code?: string; message?: string };
  const name = /EADDRINUSE|EACCES|EADDRNOTAVAIL/.exec(`${code} ${message}`)?.[0];
  if (name === "EADDRINUSE") {
    return new ConfigError(`port ${port} is taken by another program: stop that, or set ${variable} to another`);
  }
  if (name === "EACCES")
    return new ConfigError(`port ${port} may not be used by this account: set ${variable} to another`);
  if (name === "EADDRNOTAVAIL") return new ConfigError("HOST is wrong: it must be an address of this machine");
  return error;
}
