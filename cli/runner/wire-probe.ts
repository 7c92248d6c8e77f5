import { connect } from "node:net";

const patience = 1500;

/** PostgreSQL answers a startup message with an authentication request once it accepts sessions, with an error before that. */
export function postgresAnswers(host: string, port: number): Promise<boolean> {
  const parameters = Buffer.from("user\0postgres\0database\0postgres\0\0");
  const message = Buffer.alloc(8 + parameters.length);
  message.writeInt32BE(message.length, 0);
  message.writeInt32BE(196_608, 4);
  parameters.copy(message, 8);
  return ask(host, port, message, (answer) => (answer.length === 0 ? undefined : answer[0] === "R".charCodeAt(0)));
}

export function redisAnswers(host: string, port: number): Promise<boolean> {
  return ask(host, port, Buffer.from("PING\r\n"), (answer) =>
    answer.length < 5 ? undefined : answer.toString("latin1").startsWith("+PONG"),
  );
}

/** Kafka lists itself in a Metadata answer (v1, of no topics) once the controller has let it in. */
export function kafkaAnswers(host: string, port: number): Promise<boolean> {
  const request = Buffer.from([0, 0, 0, 14, 0, 3, 0, 1, 0, 0, 0, 1, 0xff, 0xff, 0, 0, 0, 0]);
  return ask(host, port, request, (answer) => (answer.length < 12 ? undefined : answer.readInt32BE(8) > 0));
}

/** True when the URL answers with a status of 200 to 299. */
export async function httpAnswers(url: string): Promise<boolean> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(patience) });
    await response.body?.cancel();
    return response.ok;
  } catch {
    return false;
  }
}

/** Sends one message and judges what comes back; `judge` answers undefined while it needs more bytes. */
function ask(
  host: string,
  port: number,
  message: Buffer,
  judge: (answer: Buffer) => boolean | undefined,
): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host, port });
    let answer = Buffer.alloc(0);
    const finish = (verdict: boolean) => {
      socket.destroy();
      resolve(verdict);
    };
    socket.setTimeout(patience, () => finish(false));
    socket.once("connect", () => socket.write(message));
    socket.on("data", (chunk: Buffer) => {
      answer = Buffer.concat([answer, chunk]);
      const verdict = judge(answer);
      if (verdict !== undefined) finish(verdict);
    });
    socket.once("error", () => finish(false));
    socket.once("close", () => resolve(false));
  });
}
