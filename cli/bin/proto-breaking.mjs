#!/usr/bin/env node
// Compares the proto files with what was released last, or, before the first release, with the commit before.
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../../", import.meta.url));

const base = baseline();
if (base === undefined) {
  process.stdout.write("proto: no earlier version to compare with\n");
} else {
  const against = `.git#${base.kind}=${base.name}`;
  const { status, error } = spawnSync("buf", ["breaking", "--against", against], { cwd: root, stdio: "inherit" });
  if (error) {
    process.stderr.write("proto: buf is not installed, run this by `npm run check`\n");
    process.exit(1);
  }
  if (status === 0) process.stdout.write(`proto: nothing breaks since ${base.title}\n`);
  process.exit(status ?? 1);
}

function baseline() {
  const tag = git("tag", "--list", "v*", "--sort=-version:refname", "--merged", "HEAD").split("\n")[0];
  if (tag) return hasProto(tag) ? { kind: "tag", name: tag, title: tag } : undefined;
  for (const branch of ["main", "origin/main"]) {
    const commit = git("rev-parse", "--verify", "--quiet", `${branch}~1`);
    if (commit && hasProto(commit)) return { kind: "ref", name: commit, title: `commit ${commit.slice(0, 12)}` };
  }
  return undefined;
}

function hasProto(commit) {
  return git("ls-tree", "--name-only", commit, "proto/").includes("proto/");
}

function git(...args) {
  const { status, stdout } = spawnSync("git", args, { cwd: root, encoding: "utf8" });
  return status === 0 ? stdout.trim() : "";
}
