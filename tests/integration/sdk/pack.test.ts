import { execFile } from "node:child_process";
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { AuthService } from "#gen/auth/v1/auth_service_pb.js";
import { TaskService } from "#gen/task/v1/task_service_pb.js";
import { buildPackage, pack } from "../../../clients/typescript/build.ts";
import { demandToken, startServer, type TestServer, tokens } from "../../../clients/typescript/src/testing.ts";

const run = promisify(execFile);
const root = fileURLToPath(new URL("../../../", import.meta.url));
const read = async (path: string) => JSON.parse(await readFile(path, "utf8"));

let folder: string;
let project: string;
let server: TestServer;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "taskmesh-sdk-"));
  project = join(folder, "project");
  const built = join(folder, "built");
  await Promise.all([mkdir(project), mkdir(built)]);
  await buildPackage(built);
  const { dependencies } = await read(join(built, "package.json"));
  const files = [await pack(built, folder)];
  // What it depends on is packed from here as well, so that no registry is asked.
  for (const name of Object.keys(dependencies)) files.push(await pack(join(root, "node_modules", name), folder));
  await writeFile(join(project, "package.json"), '{ "private": true, "type": "module" }\n');
  const flags = ["--offline", "--ignore-scripts", "--no-audit", "--no-fund", "--cache", join(folder, "cache")];
  await run("npm", ["install", ...flags, ...files], { cwd: project });
  server = await startServer(({ service }) => {
    service(AuthService, { login: () => tokens(1), refreshToken: () => tokens(2) });
    service(TaskService, {
      createTask: ({ task }, { requestHeader }) => {
        demandToken(requestHeader, "access-2");
        return { task: { title: task?.title, taskId: "1" } };
      },
    });
  });
});

afterAll(async () => {
  await server?.close();
  await rm(folder, { recursive: true, force: true });
});

const program = `import { Code, ConnectError, reasonOf, Taskmesh } from "@taskmesh/client";
import { Status } from "@taskmesh/client/gen/task/v1/task_pb.js";

const mesh = new Taskmesh({ baseUrl: process.argv[2] ?? "", attempts: 1 });
await mesh.auth.login({ email: "ann@example.com", password: "right" });
const { task } = await mesh.tasks.createTask({ task: { title: "Milk", status: Status.OPEN } });
const failed: unknown = await mesh.users.getMe({}).catch((error: unknown) => error);
const code = failed instanceof ConnectError ? Code[failed.code] : "";
console.log(JSON.stringify([task?.taskId, task?.title, mesh.tokens?.accessToken, code, reasonOf(failed) ?? null]));
`;

describe("the packed client", () => {
  test("works in a project of its own, without this repository or a registry", async () => {
    await writeFile(join(project, "main.ts"), program);
    const { stdout } = await run(process.execPath, ["main.ts", server.url], { cwd: project });
    expect(JSON.parse(stdout)).toEqual(["1", "Milk", "access-2", "Unimplemented", null]);
    expect(server.arrivals.map(({ path }) => path.split("/").at(-1))).toEqual([
      "Login",
      "CreateTask",
      "RefreshToken",
      "CreateTask",
      "GetMe",
    ]);
  });

  test("is typed there", async () => {
    await writeFile(join(project, "main.ts"), program);
    await writeFile(join(project, "wrong.ts"), program.replace('title: "Milk"', "titel: 1"));
    const options = ["--noEmit", "--strict", "--module", "nodenext", "--target", "esnext", "--types", "node"];
    const typeRoots = ["--typeRoots", join(root, "node_modules/@types")];
    const check = (file: string) =>
      run(join(root, "node_modules/.bin/tsc"), [...options, ...typeRoots, file], { cwd: project });
    await check("main.ts");
    await expect(check("wrong.ts")).rejects.toMatchObject({ stdout: expect.stringContaining("'titel'") });
  });

  test("has JavaScript and types only, and nothing that a browser lacks", async () => {
    const installed = join(project, "node_modules/@taskmesh/client");
    const files = await readdir(installed, { recursive: true, withFileTypes: true });
    const paths = files.filter((file) => file.isFile()).map((file) => join(file.parentPath, file.name));
    const names = paths.map((path) => path.slice(installed.length + 1));
    expect(names).toEqual(
      expect.arrayContaining(["README.md", "LICENSE", "package.json", "dist/index.js", "dist/index.d.ts"]),
    );
    expect(names.filter((name) => name.includes("test") || (/\.ts$/.test(name) && !name.endsWith(".d.ts")))).toEqual(
      [],
    );
    for (const path of paths.filter((name) => /dist\/.*\.(js|d\.ts)$/.test(name))) {
      const text = await readFile(path, "utf8");
      expect(text, path).not.toMatch(/from "(?:node:|#|[^"]*proto\/gen|[^"]*(?<!\.d)\.ts")/);
      expect(text.replaceAll(/\/\*[\s\S]*?\*\//g, ""), path).not.toMatch(/\b(?:Buffer|process)\b/);
    }
  });

  test("is of the version of the rest, and needs what the rest needs", async () => {
    const [own, whole] = [
      await read(join(root, "clients/typescript/package.json")),
      await read(join(root, "package.json")),
    ];
    expect(own.version).toBe(whole.version);
    expect(whole.dependencies).toMatchObject(own.dependencies);
  });
});
