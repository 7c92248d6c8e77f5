import { spawnSync } from "node:child_process";
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { parse } from "yaml";
import { isTest, repositoryFiles, typescriptSources } from "./sources.ts";

const processes = typescriptSources().filter(
  ({ path }) => /^(services|consumers|gateway|kit)\//.test(path) && !isTest(path) && !path.endsWith("/testing.ts"),
);
const clients = /^(undici|axios|got|node-fetch|@grpc\/grpc-js|@connectrpc\/connect-(node|web)|node:(https|tls))$/;
const connecting =
  /import \{[^}]*\b(request|get|connect|createConnection|Agent|Socket)\b[^}]*\} from "node:(http|http2|net)"/;

/** Every file in which a connection to another process of ours could be opened. */
function openers(): string[] {
  return processes
    .filter(
      ({ text, imports }) =>
        /(?<![#.\w])fetch\(/.test(text) ||
        connecting.test(withoutTypes(text)) ||
        imports.some((name) => clients.test(name)),
    )
    .map(({ path }) => path)
    .filter((path) => !path.startsWith("kit/grpc/") && !outward.includes(path));
}

/** What asks Kafka whether it is there, and what calls people's own endpoints, talks to no process of ours. */
const outward = ["kit/events/kafka-probe.ts", "kit/http/outbound.ts"];

const withoutTypes = (text: string) => text.replaceAll(/\btype \w+,?/g, "").replaceAll(/import type [^;]*;/g, "");

describe("[mesh.01] all internal calls are gRPC, by one contract", () => {
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), "contract-"));
    for (const path of ["buf.yaml", "proto"]) cpSync(path, join(folder, path), { recursive: true });
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  const buf = (...args: string[]) => spawnSync("buf", args, { cwd: folder, encoding: "utf8" });
  const edit = (path: string, from: RegExp, to: string) => {
    const text = readFileSync(path, "utf8");
    expect(text).toMatch(from);
    writeFileSync(join(folder, path), text.replace(from, to));
  };

  it("only the kit's gRPC opens connections between our processes", () => {
    expect(processes.length).toBeGreaterThan(300);
    expect(openers()).toEqual([]);
  });

  it("a client is made from a generated service, and nothing else of another service is known", () => {
    const made = processes.flatMap(({ path, text, imports }) =>
      [...text.matchAll(/\bcreateClient\((\w+),/g)].map(([, service]) => ({
        path,
        service: service as string,
        text,
        imports,
      })),
    );
    expect(made.map(({ service }) => service)).toEqual(expect.arrayContaining(["AuthService", "UserService"]));
    for (const { path, service, text } of made) {
      expect(text, path).toMatch(
        new RegExp(`import \\{[^}]*\\b${service}\\b[^}]*\\} from "#gen/[a-z]+/v1/[a-z]+_service_pb\\.js"`),
      );
      expect(text, path).toMatch(
        /import \{[^}]*\bcreateClient\b[^}]*\} from "(#kit|\.)\/grpc\/client\.ts"|from "\.\.\/grpc\/client\.ts"/,
      );
    }
  });

  it("our proto files are one buf module", () => {
    const { modules } = parse(readFileSync("buf.yaml", "utf8")) as { modules: { path: string }[] };
    expect(modules.map(({ path }) => path)).toEqual(["proto", "proto/vendor"]);
    const outside = repositoryFiles().filter((path) => path.endsWith(".proto") && !path.startsWith("proto/"));
    // Tests of what could be published by itself, or of other people's suites, bring their own.
    expect(outside.filter((path) => !/testdata|^tests\//.test(path))).toEqual([]);
  });

  it("the checks of every change lint it and compare it with what was released", () => {
    const { scripts } = JSON.parse(readFileSync("package.json", "utf8")) as { scripts: Record<string, string> };
    expect(readFileSync(".ci/run", "utf8")).toMatch(/^npm run check$/m);
    expect(scripts.check).toContain("check:all");
    expect(scripts["check:all"]).toMatch(/&& buf lint && npm run --silent check:breaking &&/);
    expect(scripts["check:breaking"]).toBe("node cli/bin/proto-breaking.mjs");
    expect(readFileSync("cli/bin/proto-breaking.mjs", "utf8")).toContain('["breaking", "--against", against]');
  });

  it("and both find fault", () => {
    const root = process.cwd();
    expect(buf("lint").status).toBe(0);
    expect(buf("breaking", "--against", root).status).toBe(0);
    edit("proto/task/v1/task.proto", /string title = 2/, "string title = 200");
    const breaking = buf("breaking", "--against", root);
    expect([breaking.status, breaking.stdout]).toEqual([100, expect.stringContaining("task.proto")]);
    edit("proto/task/v1/task.proto", /message Comment \{/, "message comment_v2 {}\n\nmessage Comment {");
    const lint = buf("lint");
    expect([lint.status, lint.stdout]).toEqual([100, expect.stringContaining("comment_v2")]);
  });

  it("what clients were made from at the last release is kept", () => {
    const baseline = repositoryFiles().filter((path) => /^tests\/contract\/baseline\/v[\d.]+\.binpb$/.test(path));
    expect(baseline).toHaveLength(1);
    const config = JSON.stringify({
      version: "v2",
      breaking: { use: ["WIRE_JSON"], ignore: ["buf", "google", "grpc"] },
    });
    const compared = (source: string) => {
      const image = join(folder, "image.binpb");
      expect(spawnSync("buf", ["build", source, "-o", image], { encoding: "utf8" }).status).toBe(0);
      return buf("breaking", image, "--config", config, "--against", join(process.cwd(), baseline[0] as string));
    };
    const kept = compared(process.cwd());
    expect([kept.status, kept.stdout + kept.stderr]).toEqual([0, ""]);
    edit("proto/task/v1/task.proto", /string title = 2/, "string title = 200");
    expect(compared(folder).status).toBe(100);
  });
});
