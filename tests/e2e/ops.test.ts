import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { statSync } from "node:fs";
import { request } from "node:http";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { fetchPicture } from "../../cli/ops/client.ts";
import type { Picture } from "../../cli/ops/picture.ts";
import { opsTokenFile, readOpsToken } from "../../cli/ops/token.ts";
import { launchBrowser } from "../_util/browser.ts";
import { TestMesh } from "../_util/mesh.ts";
import { call, Person } from "../_util/person.ts";
import { until } from "../_util/until.ts";

let mesh: TestMesh;
let browser: Browser;
let page: Page;
let ada: Person;
let ops: string;
let token: string;
const faults: string[] = [];

beforeAll(async () => {
  [mesh, browser] = await Promise.all([TestMesh.start(), launchBrowser()]);
  ops = `http://127.0.0.1:${mesh.environment.OPS_PORT}`;
  token = readOpsToken(tokenFile());
  ada = await Person.register(mesh.edge, "Ada");
  page = await browser.newPage();
  page.on("pageerror", (error) => faults.push(error.message));
  page.on(
    "console",
    (message) => message.type() === "error" && faults.push(`${message.text()} ${message.location().url}`),
  );
  await page.goto((await mesh.cli("ops")).trim());
});

afterAll(async () => {
  await browser?.close();
  await mesh?.stop();
});

function tokenFile(): string {
  return opsTokenFile(join(String(mesh.environment.MESH_HOME), "keys"));
}

function picture(): Promise<Picture> {
  return fetchPicture({ url: ops, token });
}

/** Calls go on until `work` is done. */
async function underTraffic<T>(work: () => Promise<T>): Promise<T> {
  let isOver = false;
  const calls = (async () => {
    while (!isOver) {
      await ada.call("POST /v1/tasks", { title: "watched" });
      await ada.call("GET /v1/tasks/01890000-0000-7000-8000-000000000000");
    }
  })();
  try {
    return await work();
  } finally {
    isOver = true;
    await calls;
  }
}

const edgeOf = ({ edges }: Picture, from: string, to: string) =>
  edges.find((edge) => edge.from === from && edge.to === to);

test("what runs, its logs and its figures are shown in the terminal [000.11]", async () => {
  expect(await mesh.cli("ps")).toMatch(/^task-1 +ready +\d+/m);
  expect(await mesh.cli("logs", "task", "--lines", "3")).toContain("task-1");
  const picture = await mesh.cli("top", "--once");
  for (const name of ["gateway-1", "task-1", "consumers-1"]) expect(picture).toContain(name);
});

describe("the picture", () => {
  const road = [
    ["clients", "edge"],
    ["edge", "gateway"],
    ["gateway", "mesh"],
    ["mesh", "task"],
    ["task", "postgres"],
    ["task", "kafka"],
    ["kafka", "group:notification"],
  ] as const;

  test("has rate and latency of every hop that a request and its event take, and refusals are no errors", async () => {
    const seen = await underTraffic(() =>
      until("something on every hop", async () => {
        const now = await picture();
        return now.faults.length === 0 && road.every(([from, to]) => (edgeOf(now, from, to)?.p95 ?? 0) > 0) && now;
      }),
    );
    for (const [from, to] of road) expect(edgeOf(seen, from, to), `${from} ${to}`).toMatchObject({ errors: 0 });
    expect(edgeOf(seen, "clients", "edge")?.refused).toBeGreaterThan(0);
    expect(edgeOf(seen, "mesh", "notification")?.errors).toBe(0);
    expect(seen.instances.find(({ name }) => name === "task-1")).toMatchObject({ status: "ready", restarts: 0 });
    expect(seen.leaders.find(({ work }) => work === "outbox of task")?.leader).toBe("task-1");
    expect(seen.leaders.find(({ work }) => work === "reminders")?.leader).toBe("consumers-1");
    expect(seen.instances.find(({ name }) => name === "gateway-1")?.streams).toBeGreaterThanOrEqual(0);
  });

  test("shows an error as one, on the hops that saw it", async () => {
    const { instances } = await mesh.status();
    const pid = instances.find(({ name }) => name === "task-1")?.pid as number;
    process.kill(pid, "SIGSTOP");
    try {
      await underTraffic(() =>
        until("errors", async () => {
          const now = await picture();
          return (
            [
              ["clients", "edge"],
              ["gateway", "mesh"],
            ] as const
          ).every(([from, to]) => (edgeOf(now, from, to)?.errors ?? 0) > 0);
        }),
      );
      await until("the page to show them", () =>
        page.locator('.edge[data-edge="clients edge"][data-state="bad"]').count(),
      );
    } finally {
      process.kill(pid, "SIGCONT");
    }
    await until("the task service to be back", async () => (await ada.call("GET /v1/tasks")).status === 200);
  });
});

describe("the page", () => {
  const cells = (instance: string, topic = "task.events.v1") =>
    page
      .locator("#groups article", { has: page.locator('caption:text-is("Partitions of notification, by instance")') })
      .locator("tr", { has: page.locator(`th:text-is("${instance}")`) })
      .locator(`td[title^="${topic} "]`)
      .count();

  test("draws the hops with what moves on them, partitions and instances, from one line a second [beyond.07]", async () => {
    await underTraffic(() =>
      until("rate and time on the way to the task service", async () => {
        const label = await page.locator('.edge[data-edge="mesh task"] .label').first().textContent();
        return /^[\d.<]+\/s · [\d.]+ m?s$/.test(label ?? "");
      }),
    );
    expect(await page.locator("#instances tbody tr").count()).toBe((await mesh.status()).instances.length);
    expect(await cells("consumers-1")).toBe(12);

    // A second consumer takes half of the partitions, and the page tells so without being asked.
    await mesh.cli("scale", "consumers=2");
    await until(
      "partitions to move",
      async () => (await cells("consumers-1")) === 6 && (await cells("consumers-2")) === 6,
    );
    const { groups } = await picture();
    const topic = groups
      .find(({ group }) => group === "notification")
      ?.topics.find((one) => one.topic === "task.events.v1");
    expect(topic?.partitions.map(({ instance }) => instance).toSorted()).toEqual([
      ...Array(6).fill("consumers-1"),
      ...Array(6).fill("consumers-2"),
    ]);
    await mesh.cli("scale", "consumers=1");
    await until("partitions to move back", async () => (await cells("consumers-1")) === 12);
  });

  test("finds a trace by an attribute, and draws its hops, waits apart from work", async () => {
    const { headers } = await ada.call("POST /v1/tasks", { title: "traced" });
    await page.goto(`${ops}/ops#traces`);
    await page.locator('#service option[value="task"]').waitFor({ state: "attached" });
    await page.selectOption("#service", "task");
    await page.fill('input[name="tag"]', `taskmesh.request.id=${headers.get("x-request-id")}`);
    await until("the trace to be found, its event with it", async () => {
      await page.click("#search button");
      await page.locator("#search-state:not(:text('Looking'))").waitFor();
      return (await page.locator("#found tbody tr", { hasText: "consumers" }).count()) === 1;
    });
    await page.click("#found tbody a");
    await page.locator("#waterfall tbody tr").first().waitFor();
    expect(page.url()).toMatch(/#trace=[0-9a-f]{32}$/);
    const waterfall = await page.locator("#waterfall").textContent();
    for (const service of ["envoy-edge", "gateway", "envoy-mesh", "task", "consumers"])
      expect(waterfall).toContain(service);
    expect(await page.locator("#waterfall tr[data-wait]").allTextContents()).toEqual(
      expect.arrayContaining([expect.stringContaining("outbox wait"), expect.stringContaining("wait task.events.v1")]),
    );
    await page.locator("#waterfall tbody tr", { hasText: "CreateTask" }).last().click();
    expect(await page.locator("#span").textContent()).toContain("task.v1.TaskService/CreateTask");
    await page.keyboard.press("ArrowUp");
    expect(await page.locator("#waterfall tr[aria-selected]").count()).toBe(1);
  });

  test("keeps what a span says a text", async () => {
    const evil = '<img src="/x" onerror="window.hacked=1"><script>window.hacked=1</script>';
    const traceId = await sendSpan(evil);
    await until("Jaeger to have it", async () => {
      await page.goto(`${ops}/ops#trace=${traceId}`);
      await page.reload();
      return page
        .locator("#waterfall tbody tr")
        .first()
        .waitFor({ timeout: 2000 })
        .then(() => true);
    });
    await page.locator("#waterfall tbody tr").click();
    expect(await page.locator("#span td").allTextContents()).toContain(evil);
    expect(await page.locator("#trace img, #trace script").count()).toBe(0);
    expect(await page.evaluate(() => "hacked" in globalThis)).toBe(false);
  });

  test("says that Jaeger is away", async () => {
    await page.route("**/ops/api/services", (route) =>
      route.fulfill({ status: 503, json: { error: "Jaeger does not answer" } }),
    );
    await page.goto(`${ops}/ops#traces`);
    await page.reload();
    await page.locator("#search-state", { hasText: "Jaeger does not answer" }).waitFor();
    await page.unroute("**/ops/api/services");
  });

  test("ran without a fault in the browser", () => {
    // Jaeger was away once, and a trace that was asked for had not reached it yet.
    const awaited = /503 \(Service Unavailable\)|404 \(Not Found\) .*\/ops\/api\/traces\//;
    expect(faults.filter((fault) => !awaited.test(fault))).toEqual([]);
  });
});

describe("only operators", () => {
  const html = { accept: "text/html" };

  test("get in: with a link that is good once, and a cookie that no script reads", async () => {
    const link = (await mesh.cli("ops")).trim();
    const entered = await fetch(link, { redirect: "manual" });
    expect(entered.status).toBe(303);
    expect(entered.headers.get("location")).toBe("/ops");
    expect(entered.headers.get("set-cookie")).toMatch(/HttpOnly/);
    expect(entered.headers.get("set-cookie")).toMatch(/SameSite=Strict/);
    expect((await fetch(link, { redirect: "manual" })).status).toBe(401);
    const cookie = entered.headers.get("set-cookie")?.split(";")[0] ?? "";
    const opened = await fetch(`${ops}/ops`, { headers: { cookie } });
    expect(opened.status).toBe(200);
    expect(opened.headers.get("content-security-policy")).toContain("script-src 'self'");
    expect(statSync(tokenFile()).mode & 0o777).toBe(0o600);
  });

  test("without a token there is a page that tells how, and no data", async () => {
    const refused = await fetch(`${ops}/ops`, { headers: html });
    expect(refused.status).toBe(401);
    expect(await refused.text()).toContain("npx mesh ops");
    for (const path of ["picture", "stream", "services", "operations", "traces", `traces/${"a".repeat(32)}`]) {
      expect((await fetch(`${ops}/ops/api/${path}`)).status, path).toBe(401);
    }
    const wrong = { authorization: `Bearer ${"a".repeat(43)}` };
    expect((await fetch(`${ops}/ops/tickets`, { method: "POST", headers: wrong })).status).toBe(401);
  });

  test("by its own name: a page of the web that calls itself loopback gets nothing", async () => {
    expect(await statusFor(`${ops}/metrics`, "evil.example")).toBe(403);
    expect(await statusFor(`${ops}/ops`, "127.0.0.1.evil.example")).toBe(403);
    expect(await statusFor(`${ops}/metrics`, `localhost:${mesh.environment.OPS_PORT}`)).toBe(200);
  });

  test("never by the public listener", async () => {
    for (const path of [
      "/ops",
      "/ops/api/picture",
      "/ops/enter",
      "/metrics",
      "/stats",
      "/config_dump",
      "/quitquitquit",
    ]) {
      expect((await call(mesh.edge, `GET ${path}`)).status, path).toBe(404);
    }
  });
});

test("`mesh top --once` is one picture in 80 columns, without colours where nobody sees them", async () => {
  const text = await mesh.cli("top", "--once");
  for (const title of ["HOPS", "GROUPS", "INSTANCES", "LEADERS"]) expect(text).toContain(`\n${title}\n`);
  expect(text).toMatch(/task\.events\.v1 +a{12}\n/);
  expect(text).not.toContain("\u001b");
});

test("`mesh events tail` shows events as they come, with what people wrote only when asked to", async () => {
  const tail = spawn(process.execPath, ["cli/mesh.ts", "events", "tail", "task.events.v1", "--since", "1h"], {
    env: mesh.environment,
    stdio: ["ignore", "pipe", "inherit"],
  });
  try {
    const task = await ada.ask("POST /v1/tasks", { title: "a secret plan" });
    for await (const line of createInterface({ input: tail.stdout })) {
      const event = JSON.parse(line);
      if (event.key !== task.taskId) continue;
      expect(event).toMatchObject({
        topic: "task.events.v1",
        type: "task.v1.TaskCreated",
        event: { taskId: task.taskId },
      });
      expect(event.traceId).toMatch(/^[0-9a-f]{32}$/);
      expect(line).not.toContain("secret plan");
      break;
    }
  } finally {
    tail.kill("SIGINT");
    await once(tail, "exit");
  }
  expect(tail.exitCode).toBe(0);
});

function statusFor(url: string, host: string): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    request(url, { headers: { host } }, (response) => {
      response.resume();
      resolve(response.statusCode);
    })
      .on("error", reject)
      .end();
  });
}

/** A span of one attribute, straight to the collector; answers with its trace. */
async function sendSpan(text: string): Promise<string> {
  const jaeger = (await mesh.status()).instances.find(({ name }) => name === "jaeger");
  const traceId = randomBytes(16).toString("hex");
  const now = BigInt(Date.now()) * 1_000_000n;
  const attributes = [{ key: "text", value: { stringValue: text } }];
  const span = {
    traceId,
    spanId: randomBytes(8).toString("hex"),
    name: text,
    kind: 1,
    startTimeUnixNano: String(now),
    endTimeUnixNano: String(now + 1_000_000n),
    attributes,
  };
  const service = [{ key: "service.name", value: { stringValue: text } }];
  const response = await fetch(`http://127.0.0.1:${jaeger?.ports["otlp-http"]}/v1/traces`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ resourceSpans: [{ resource: { attributes: service }, scopeSpans: [{ spans: [span] }] }] }),
  });
  expect(response.status).toBe(200);
  return traceId;
}
