/** `npm run contract:baseline -- v1.2.3`: takes the proto files of a release as what later servers are held against. */
import { execFileSync } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const folder = fileURLToPath(new URL(".", import.meta.url));
const [release, commit = release] = process.argv.slice(2);
if (release === undefined || commit === undefined || !/^v\d+\.\d+\.\d+$/.test(release)) {
  throw new Error("usage: npm run contract:baseline -- v1.2.3 [commit]");
}

const work = mkdtempSync(join(tmpdir(), "baseline-"));
try {
  const archive = execFileSync("git", ["archive", commit, "buf.yaml", "proto"], { maxBuffer: 64 << 20 });
  execFileSync("tar", ["-x", "-C", work], { input: archive });
  for (const name of readdirSync(folder)) if (name.endsWith(".binpb")) rmSync(join(folder, name));
  const image = join(folder, `${release}.binpb`);
  execFileSync("buf", ["build", "--exclude-source-info", "--as-file-descriptor-set", "-o", image], { cwd: work });
} finally {
  rmSync(work, { recursive: true });
}
