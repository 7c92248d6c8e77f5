import { describe, expect, test } from "vitest";
import { createLogger } from "./logger.ts";
import { redact, scrub, serialiseError } from "./redaction.ts";

function captured(write: (log: ReturnType<typeof createLogger>) => void): Record<string, unknown> {
  const lines: string[] = [];
  const log = createLogger(
    { level: "info", service: "task", instanceId: "task-1" },
    { write: (line) => lines.push(line) },
  );
  write(log);
  expect(lines).toHaveLength(1);
  return JSON.parse(lines[0]!);
}

describe("what is logged", () => {
  test.each([
    ["password"],
    ["newPassword"],
    ["accessToken"],
    ["refresh_token"],
    ["authorization"],
    ["x-mesh-identity"],
    ["set-cookie"],
    ["email"],
    ["title"],
    ["payload"],
  ])("loses the value of %s at any depth and in any spelling", (key) => {
    const line = captured((log) => log.info({ outer: { list: [{ [key]: "canary" }] }, [key]: "canary" }, "said"));
    expect(JSON.stringify(line)).not.toContain("canary");
    expect(line[key]).toBe("[redacted]");
  });

  test("keeps what helps", () => {
    const line = captured((log) =>
      log.info({ taskId: "0199", attempt: 3, nested: { method: "GetTask" }, big: 7n }, "said"),
    );
    expect(line).toMatchObject({ taskId: "0199", attempt: 3, nested: { method: "GetTask" }, big: "7" });
    expect(line).toMatchObject({
      level: "info",
      message: "said",
      "service.name": "task",
      "service.instance.id": "task-1",
    });
  });

  test("loses mail addresses, tokens and passwords of URLs that stand in texts", () => {
    const secrets =
      "ann@example.org Bearer abc.def postgres://task:hunter2@db/task eyJhbGciOiJFZERTQSJ9.eyJzdWIiOiIxIn0.c2ln";
    for (const text of [scrub(secrets), String(captured((log) => log.info(secrets)).message)]) {
      expect(text).toBe("[mail] [token] postgres://task:[redacted]@db/task [token]");
    }
  });

  test("does not follow objects without end, nor print bytes", () => {
    const loop: Record<string, unknown> = { bytes: Buffer.from("canary") };
    loop.self = loop;
    const text = JSON.stringify(redact(loop));
    expect(text).toContain("[6 bytes]");
    expect(text).toContain("[deep]");
  });
});

describe("an error in a log line", () => {
  test("keeps class, code, message, frames and causes", () => {
    const error = new TypeError("page_size is too large", {
      cause: Object.assign(new Error("refused"), { code: "ECONNREFUSED" }),
    });
    const line = captured((log) => log.error({ error }, "call failed"));
    expect(line.error).toMatchObject({
      type: "TypeError",
      message: "page_size is too large",
      stack: expect.stringContaining("redaction.test.ts"),
      cause: { code: "ECONNREFUSED", kind: "ECONNREFUSED", message: "refused" },
    });
  });

  test("leaves out what hangs on it: rows, requests, parameters", () => {
    const error = Object.assign(new Error("insert failed"), {
      detail: "Key (email)=(canary@example.org) already exists.",
      query: "insert into task values ('canary')",
      parameters: ["canary"],
      request: { body: "canary" },
    });
    expect(JSON.stringify(captured((log) => log.error({ error }, "failed")))).not.toContain("canary");
    expect(JSON.stringify(captured((log) => log.error(error)))).not.toContain("canary");
    expect(JSON.stringify(captured((log) => log.error({ err: error })))).not.toContain("canary");
  });

  const parsers: Array<[string, () => unknown]> = [
    ["JSON", () => JSON.parse('{"title": canary}')],
    ["BigInt", () => BigInt("canary")],
    ["Intl", () => new Intl.DateTimeFormat("en", { timeZone: "canary" })],
    ["Node", () => Buffer.alloc("canary" as never)],
    ["URL", () => new URL("canary")],
  ];
  test.each(parsers)("leaves out the input that %s quotes", (_name, parse) => {
    const error = Promise.try(parse).catch((thrown) => thrown);
    return expect(error.then((thrown) => captured((log) => log.error(thrown)))).resolves.toSatisfy(
      (line) => !JSON.stringify(line).includes("canary"),
    );
  });

  test("leaves out the values that the database quotes", () => {
    const message = 'invalid input syntax for type uuid: "can"aryX9"';
    const error = Object.assign(new Error(message), { severity: "ERROR", code: "22P02" });
    expect(serialiseError(error)).toMatchObject({ code: "22P02", message: 'invalid input syntax for type uuid: "…"' });
    expect(JSON.stringify(captured((log) => log.error({ error })))).not.toContain("aryX9");
  });
});
