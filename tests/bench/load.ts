import autocannon from "autocannon";

export interface Load {
  url: string;
  method?: "GET" | "POST";
  headers?: Record<string, string>;
  body?: string;
  /** Whether the body of an answer is what it must be; every answer is looked at. */
  check: (body: string) => boolean;
  seconds: number;
}

export interface Outcome {
  /** Right answers, and how many a second. */
  answers: number;
  rate: number;
  seconds: number;
  /** Milliseconds from a request to its whole answer. */
  p50: number;
  p99: number;
}

export const connections = 64;
/** For a finding: how its load was made. */
export const closedLoop = `${connections} connections, closed loop`;

/**
 * Sends requests over 64 kept connections, each as soon as the answer before is there. Throws when a single answer is
 * not a 200 with the body that it must have, so a fast error never counts.
 */
export async function load({ url, method = "GET", headers, body, check, seconds }: Load): Promise<Outcome> {
  const result = await autocannon({
    url,
    method,
    headers: { ...headers, ...(body === undefined ? {} : { "content-type": "application/json" }) },
    body,
    duration: seconds,
    connections,
    timeout: 10,
    verifyBody: (answer) => isRight(check, String(answer)),
  });
  const counts = Object.entries(result.statusCodeStats ?? {}).map(([code, { count = 0 }]) => ({ code, count }));
  const right = counts.find(({ code }) => code === "200")?.count ?? 0;
  const other = counts.filter(({ code }) => code !== "200");
  if (right === 0 || other.length > 0 || result.errors > 0 || result.timeouts > 0 || result.mismatches > 0) {
    const seen = counts.map(({ code, count }) => `${count} × ${code}`).join(", ") || "no answers";
    const faults = `${result.errors} errors, ${result.timeouts} timeouts, ${result.mismatches} wrong bodies`;
    throw new Error(`${method} ${url}: ${seen}, ${faults}; only right answers count`);
  }
  const { p50, p99 } = result.latency;
  return { answers: right, rate: right / result.duration, seconds: result.duration, p50, p99 };
}

function isRight(check: Load["check"], body: string): boolean {
  try {
    return check(body);
  } catch {
    return false;
  }
}
