import { attributes } from "#observability/names.ts";

/** Which lines of the logs are wanted; what is left out wants all. */
export interface LogFilter {
  /** The least level. */
  level?: LogLevel;
  /** A trace id of 32 hexadecimal digits, or its beginning. */
  trace?: string;
  /** A user's id. */
  user?: string;
}

export const logLevels = ["trace", "debug", "info", "warn", "error", "fatal"] as const;
export type LogLevel = (typeof logLevels)[number];

/**
 * The test of a line by a filter. Lines of our own processes are JSON and have level, trace and user; those of the parts
 * are text, and are shown only when nothing but the service is asked for.
 */
export function lineTest({ level, trace, user }: LogFilter): (line: string) => boolean {
  if (level === undefined && trace === undefined && user === undefined) return () => true;
  const least = level === undefined ? 0 : logLevels.indexOf(level);
  return (line) => {
    // Most lines are not of this trace or user, and are not worth parsing.
    if ((trace !== undefined && !line.includes(trace)) || (user !== undefined && !line.includes(user))) return false;
    const fields = fieldsOf(line);
    if (fields === undefined) return false;
    return (
      logLevels.indexOf(fields.level as LogLevel) >= least &&
      (trace === undefined || String(fields.trace_id).startsWith(trace)) &&
      (user === undefined || fields[attributes.userId] === user)
    );
  };
}

/** The fields of a line that is a JSON object. */
export function fieldsOf(line: string): Record<string, unknown> | undefined {
  if (!line.startsWith("{")) return undefined;
  try {
    return JSON.parse(line) as Record<string, unknown>;
  } catch {
    return undefined;
  }
}
