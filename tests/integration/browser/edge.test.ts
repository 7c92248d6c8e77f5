import { randomUUID } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Browser, BrowserContext, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { edgeCertificate } from "../../../cli/runner/certificate.ts";
import { pickPorts } from "../../../cli/runner/ports.ts";
import { launchBrowser } from "../../_util/browser.ts";
import { type Stack, startStack } from "../whole/stack.ts";
import { embed, frame, slipIn, submitForm } from "./scripts.ts";
import { type Site, startSite } from "./site.ts";

const password = "correct horse battery";

let folder: string;
let site: Site;
let stack: Stack;
let browser: Browser;
/** Our edge, and pages of: an origin that is listed, one of our site that is not, and a stranger's. */
let edge: string;
let secureEdge: string;
let listed: string;
let neighbour: string;
let stranger: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "taskmesh-browser-"));
  const [tlsPort = 0] = await pickPorts(1);
  const tls = await edgeCertificate(folder);
  if (tls === undefined) throw new Error("openssl is needed to make a certificate");
  site = await startSite();
  listed = `http://localhost:${site.port}`;
  neighbour = `http://127.0.0.1:${site.port}`;
  stranger = `http://evil.localhost:${site.port}`;
  stack = await startStack({ env: { GATEWAY_CORS_ORIGINS: listed }, envoy: { edgeTlsPort: tlsPort, tls } });
  edge = `http://localhost:${new URL(stack.edge).port}`;
  secureEdge = `https://localhost:${tlsPort}`;
  browser = await launchBrowser();
});
afterAll(async () => {
  await browser?.close();
  await stack?.close();
  await site?.stop();
  await rm(folder, { recursive: true, force: true });
});

let context: BrowserContext;
let page: Page;
beforeEach(async () => {
  context = await browser.newContext({ ignoreHTTPSErrors: true });
  page = await context.newPage();
});
afterEach(() => context.close());

/** Opens a page of ours, as the web app will be: an empty one, served under the edge's own origin. */
async function openOurs(origin = edge): Promise<void> {
  await page.route(`${origin}/app`, (route) => route.fulfill({ contentType: "text/html", body: "<!doctype html>" }));
  await page.goto(`${origin}/app`);
  // While something is routed, Playwright answers preflights in place of the server.
  await page.unrouteAll();
}

interface Ask {
  url: string;
  method?: string;
  headers?: Record<string, string>;
  body?: string;
  mode?: "cors" | "no-cors";
}

/** What a script of the page gets; "blocked" when the browser does not let it. */
function ask(wish: Ask): Promise<{ status: number; body: string; type: string } | "blocked"> {
  return page.evaluate(async ({ url, ...init }) => {
    try {
      const response = await fetch(url, { credentials: "include", ...init });
      return { status: response.status, body: await response.text(), type: response.type };
    } catch {
      return "blocked" as const;
    }
  }, wish);
}

const json = { "content-type": "application/json", "x-session": "cookie" };
const refresh = (origin = edge): Ask => ({
  url: `${origin}/v1/auth/refresh`,
  method: "POST",
  headers: json,
  body: "{}",
});

/** Registers from a page of ours; answers with the access token. */
async function register(origin = edge): Promise<string> {
  const body = JSON.stringify({ email: `${randomUUID()}@example.com`, password, displayName: "Ada" });
  const answer = await ask({ url: `${origin}/v1/auth/register`, method: "POST", headers: json, body });
  if (answer === "blocked" || answer.status !== 200) throw new Error(`registering failed: ${JSON.stringify(answer)}`);
  expect(JSON.parse(answer.body).refreshToken).toBe("");
  return JSON.parse(answer.body).accessToken;
}

const cookie = async () => (await context.cookies()).find(({ name }) => name.endsWith("taskmesh-refresh"));

describe("the session's cookie", () => {
  test.each([
    ["by HTTP on this machine", () => edge, "taskmesh-refresh", false],
    ["by TLS", () => secureEdge, "__Host-taskmesh-refresh", true],
  ] as const)("%s has every flag, and no script sees it", async (_what, origin, name, secure) => {
    await openOurs(origin());
    await register(origin());
    expect(await cookie()).toMatchObject({
      name,
      secure,
      httpOnly: true,
      sameSite: "Strict",
      path: "/",
      domain: "localhost",
    });
    const days = (((await cookie())?.expires ?? 0) - Date.now() / 1000) / 86_400;
    expect(days).toBeGreaterThan(29);
    expect(await page.evaluate("document.cookie")).toBe("");
  });

  test("is traded by a page of ours, replaced, and gone after logging out", async () => {
    await openOurs();
    await register();
    const first = await cookie();
    const answer = await ask(refresh());
    expect(answer).toMatchObject({ status: 200 });
    expect((await cookie())?.value).not.toBe(first?.value);
    const { accessToken } = JSON.parse((answer as { body: string }).body);
    const bearer = { ...json, authorization: `Bearer ${accessToken}` };
    expect(await ask({ url: `${edge}/v1/auth/logout`, method: "POST", headers: bearer, body: "{}" })).toMatchObject({
      status: 200,
    });
    expect(await cookie()).toBeUndefined();
  });

  test("is replaced by a login, so that nobody's session can be planted", async () => {
    await context.addCookies([
      { name: "taskmesh-refresh", value: "planted", url: edge, httpOnly: true, sameSite: "Strict" },
    ]);
    await openOurs();
    await register();
    expect((await cookie())?.value).not.toBe("planted");
    expect((await context.cookies()).filter(({ name }) => name === "taskmesh-refresh")).toHaveLength(1);
  });

  test("is traded by a page of a listed origin of this site", async () => {
    await openOurs();
    await register();
    await page.goto(listed);
    expect(await ask(refresh())).toMatchObject({ status: 200 });
  });
});

describe("a page of another origin", () => {
  const state = async () => {
    const tokens = await stack.sql.auth.query("SELECT token_hash, used_time FROM refresh_token ORDER BY 1");
    const tasks = await stack.sql.task.query("SELECT count(*) FROM task");
    return JSON.stringify([tokens.rows, tasks.rows]);
  };
  const others = () => [neighbour, stranger];

  test("reads nothing and changes nothing, whatever it sends", async () => {
    await openOurs();
    const token = await register();
    const [before, kept] = [await state(), await cookie()];
    const bearer = { ...json, authorization: `Bearer ${token}` };
    const task = JSON.stringify({ title: "from afar" });
    for (const origin of others()) {
      await page.goto(origin);
      const wishes: Ask[] = [
        refresh(),
        { ...refresh(), headers: { "content-type": "text/plain" } },
        { ...refresh(), headers: { "content-type": "text/plain" }, mode: "no-cors" },
        { ...refresh(), headers: { "content-type": "application/x-www-form-urlencoded" }, mode: "no-cors" },
        {
          url: `${edge}/auth.v1.AuthService/RefreshToken`,
          method: "POST",
          headers: { "content-type": "text/plain" },
          body: "{}",
          mode: "no-cors",
        },
        { url: `${edge}/v1/tasks`, method: "POST", headers: bearer, body: task },
        {
          url: `${edge}/v1/tasks`,
          method: "POST",
          headers: { "content-type": "text/plain" },
          body: task,
          mode: "no-cors",
        },
        { url: `${edge}/v1/tasks`, headers: { authorization: `Bearer ${token}` } },
        { url: `${edge}/v1/tasks` },
        { url: `${edge}/health` },
        { url: `${edge}/v1/tasks`, mode: "no-cors" },
      ];
      for (const wish of wishes) {
        const answer = await ask(wish);
        // An opaque answer says nothing; everything else is not even there.
        if (answer !== "blocked") expect(answer).toEqual({ status: 0, body: "", type: "opaque" });
      }
    }
    expect(await state()).toBe(before);
    expect(await cookie()).toEqual(kept);
  });

  test.each(["text/plain", "application/x-www-form-urlencoded", "multipart/form-data"])(
    "changes nothing by a form of %s",
    async (enctype) => {
      await openOurs();
      await register();
      const [before, kept] = [await state(), await cookie()];
      for (const origin of others()) {
        for (const path of ["/v1/auth/refresh", "/v1/auth/logout", "/v1/tasks", "/auth.v1.AuthService/RefreshToken"]) {
          await page.goto(origin);
          await Promise.all([page.waitForEvent("framenavigated"), page.evaluate(submitForm(edge + path, enctype))]);
        }
      }
      expect(await state()).toBe(before);
      expect(await cookie()).toEqual(kept);
    },
  );

  test("gets no image, script, style or frame of ours", async () => {
    for (const path of ["/v1/tasks", "/openapi.json", "/docs"]) {
      await page.goto(stranger);
      const loaded = await page.evaluate(embed(edge + path));
      expect(loaded).toEqual(["refused", "refused", "refused"]);
    }
  });

  test.each(["/docs", "/", "/v1/tasks"])("cannot frame %s", async (path) => {
    for (const origin of others()) {
      await page.goto(origin);
      await page.evaluate(frame(edge + path));
      await expect.poll(() => page.frames()[1]?.url()).toMatch(/^chrome-error:/);
    }
  });

  test("is refused its preflight, a listed one is not", async () => {
    await openOurs();
    const token = await register();
    const wish = { url: `${edge}/v1/tasks`, headers: { authorization: `Bearer ${token}` } };
    for (const origin of others()) {
      await page.goto(origin);
      expect(await ask(wish)).toBe("blocked");
    }
    await page.goto(listed);
    expect(await ask(wish)).toMatchObject({ status: 200, type: "cors" });
  });
});

describe("our own pages", () => {
  test.each(["/docs", "/"])("%s runs no script that was slipped in", async (path) => {
    await page.goto(edge + path);
    const ran = await page.evaluate(slipIn);
    expect(ran).toBe(false);
  });

  test("/docs shows under its policy, without a complaint of the browser", async () => {
    const complaints: string[] = [];
    page.on("console", (message) => message.type() === "error" && complaints.push(message.text()));
    page.on("pageerror", (error) => complaints.push(String(error)));
    await page.goto(`${edge}/docs`, { waitUntil: "networkidle" });
    await page.getByText("TaskService").first().waitFor();
    expect(complaints).toEqual([]);
  });
});

test.each([
  ["on a page of ours", () => edge],
  ["on a page of a listed origin", () => listed],
])("the SDK works %s", async (_what, origin) => {
  if (origin() === edge) {
    await page.route(/\/(app|sdk\/.*|packages\/.*)$/, async (route) => {
      const { pathname } = new URL(route.request().url());
      await route.fulfill({ response: await route.fetch({ url: listed + pathname }) });
    });
  }
  await page.goto(`${origin()}/app`);
  // As a text: what a browser imports is not for the test's own compiler.
  const titles = await page.evaluate(`(async () => {
    const { Taskmesh } = await import("/sdk/index.js");
    const mesh = new Taskmesh({ baseUrl: "${edge}" });
    await mesh.auth.register({ email: "${randomUUID()}@example.com", password: "${password}", displayName: "Ada" });
    await mesh.tasks.createTask({ task: { title: "From a browser" } });
    const { tasks } = await mesh.tasks.listTasks({});
    const missing = await mesh.tasks.getTask({ taskId: crypto.randomUUID() }).catch((error) => error.message);
    return [...tasks.map(({ title }) => title), missing];
  })()`);
  expect(titles).toEqual(["From a browser", expect.stringMatching(/not_found/)]);
});
