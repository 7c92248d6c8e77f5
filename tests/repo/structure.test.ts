import { dirname, join, normalize } from "node:path";
import { describe, expect, it } from "vitest";
import { isTest, repositoryFiles, type Source, typescriptSources } from "./sources.ts";

const sources = typescriptSources();
const production = sources.filter(({ path }) => !isTest(path));

/** Where an import points in the repository, or the package that it names. */
function target(source: Source, specifier: string): string {
  if (specifier.startsWith("#gen/")) return `proto/gen/${specifier.slice(5)}`;
  if (specifier.startsWith("#")) return specifier.slice(1);
  return specifier.startsWith(".") ? normalize(join(dirname(source.path), specifier)) : specifier;
}

function importsOf(within: (path: string) => boolean): { from: string; to: string }[] {
  return production
    .filter(({ path }) => within(path))
    .flatMap((source) => source.imports.map((specifier) => ({ from: source.path, to: target(source, specifier) })));
}

/** Files outside the allowed places that import a package. */
function strangers(packages: RegExp, allowed: RegExp): string[] {
  return importsOf((path) => !allowed.test(path))
    .filter(({ to }) => packages.test(to))
    .map(({ from, to }) => `${from} imports ${to}`);
}

describe("import rules", () => {
  it("keeps each big library behind one folder", () => {
    expect(strangers(/^kafkajs($|\/)/, /^kit\/events\//)).toEqual([]);
    expect(strangers(/^@grpc\//, /^kit\/grpc\//)).toEqual([]);
    expect(strangers(/^(@mikro-orm\/|pg$)/, /^(kit\/(db|events)\/|services\/[^/]+\/db\/|cli\/runner\/db\/)/)).toEqual(
      [],
    );
    expect(strangers(/^@mikro-orm\//, /\/(db|rpc|handlers)\/|context\.ts$|events\.ts$|^kit\/events\//)).toEqual([]);
    expect(strangers(/^ioredis$/, /^kit\/redis\//)).toEqual([]);
  });

  it("lets a service import the kit, what is generated and what is observed, and no other service", () => {
    const wrong = importsOf((path) => /^(services|consumers|gateway)\//.test(path)).filter(({ from, to }) => {
      const own = from.startsWith("gateway/") ? "gateway" : from.split("/").slice(0, 2).join("/");
      if (!/^(services|consumers|gateway|cli|envoy|web|clients)\//.test(to) || to.startsWith(`${own}/`)) return false;
      const writeSide = from.startsWith("consumers/") && /^services\/notification\/(db\/|events\.ts)/.test(to);
      // The files on top of consumers/ put the groups together.
      if (/^consumers\/[^/]+\.ts$/.test(from)) return !to.startsWith("consumers/") && !writeSide;
      return !writeSide && !(from.startsWith("consumers/") && /^consumers\/[^/]+\.ts$/.test(to));
    });
    expect(wrong).toEqual([]);
  });

  it("keeps the kit free of services, and the domain free of everything else", () => {
    expect(
      importsOf((path) => /^(kit|observability)\//.test(path)).filter(({ to }) =>
        /^(services|consumers|gateway|cli|envoy)\//.test(to),
      ),
    ).toEqual([]);
    const domain = importsOf((path) => path.includes("/domain/")).filter(
      ({ to }) => !to.includes("/domain/") && !/^(kit\/(errors|id)\.ts|[a-z@][^/]*(\/[^/]+)?)$/.test(to),
    );
    expect(domain).toEqual([]);
    const impure = importsOf((path) => path.includes("/domain/")).filter(({ to }) =>
      /^(proto\/gen|@mikro-orm|pg|kit\/(db|grpc|events))/.test(to),
    );
    expect(impure).toEqual([]);
  });

  it("reads the environment only in config files", () => {
    const readers = production.filter(
      ({ path, text }) =>
        /process\.env\b/.test(text) && !/(^|\/)config\.ts$|^kit\/env\.ts$|^(cli|deploy|observability)\//.test(path),
    );
    expect(readers.map(({ path }) => path)).toEqual([]);
  });

  it("has no barrels except the tables", () => {
    const barrels = production.filter(({ path, text }) => {
      const statements = text.split("\n").filter((line) => line.trim() !== "" && !line.startsWith("//"));
      return (
        statements.length > 0 &&
        statements.every((line) => /^export (\*|\{|type \{).* from /.test(line)) &&
        !path.endsWith("/index.ts")
      );
    });
    expect(barrels.map(({ path }) => path)).toEqual([]);
  });
});

describe("names and lengths", () => {
  it("names files in kebab-case, and none by a word that says nothing", () => {
    const names = sources.map(({ path }) => path.split("/").at(-1) ?? "");
    const odd = names.filter(
      (name) => !/^[a-z0-9]+([.-][a-z0-9]+)*\.(ts|mjs)$/.test(name) && !/^Migration\d+_[a-z0-9_]+\.ts$/.test(name),
    );
    expect(odd).toEqual([]);
    const empty = names.filter((name) => /^(utils?|helpers?|common|lib|misc|manager|interfaces)\.(ts|mjs)$/.test(name));
    expect(empty).toEqual([]);
  });

  it("keeps files short", () => {
    const bands: [RegExp, number][] = [
      [/(^|\/)main\.ts$/, 40],
      [/\/rpc\/(?!index|convert)[a-z-]+\.ts$/, 120],
      [/\/(interceptors|middleware)\/[a-z-]+\.ts$/, 120],
      [/\.entity\.ts$/, 120],
      [/./, 400],
    ];
    const long = sources.flatMap(({ path, lines }) => {
      const limit =
        isTest(path) || path.startsWith("cli/") || path.startsWith("tests/")
          ? 400
          : (bands.find(([pattern]) => pattern.test(path))?.[1] ?? 400);
      return lines > limit ? [`${path}: ${lines} lines, at most ${limit}`] : [];
    });
    expect(long).toEqual([]);
    const counts = production.map(({ lines }) => lines).sort((a, b) => a - b);
    const at = (share: number) => counts[Math.min(counts.length - 1, Math.floor(counts.length * share))];
    process.stdout.write(
      `sources: ${counts.length} files, median ${at(0.5)}, p75 ${at(0.75)}, p95 ${at(0.95)}, max ${at(1)} lines\n`,
    );
  });

  it("gives every service the same files", () => {
    const paths = new Set(repositoryFiles());
    const missing = ["auth", "user", "task", "notification"].flatMap((service) =>
      [
        "README.md",
        "main.ts",
        "config.ts",
        "context.ts",
        "service.ts",
        "metrics.ts",
        "rpc/index.ts",
        "rpc/convert.ts",
        "events.ts",
        "db/mikro-orm.config.ts",
      ]
        .map((file) => `services/${service}/${file}`)
        .filter((path) => !paths.has(path)),
    );
    expect(missing).toEqual([]);
  });

  it("speaks of no machine and leaves no test out", () => {
    const paths = sources.filter(
      ({ text, path }) => path !== "tests/repo/structure.test.ts" && /["'`\s](\/work\/|\/root\/|\/home\/)/.test(text),
    );
    expect(paths.map(({ path }) => path)).toEqual([]);
    const skipped = sources.filter(
      ({ text, path }) =>
        isTest(path) &&
        path !== "tests/repo/structure.test.ts" &&
        /\b(it|describe|test)\.(skip|only|todo)\(/.test(text),
    );
    expect(skipped.map(({ path }) => path)).toEqual([]);
  });
});
