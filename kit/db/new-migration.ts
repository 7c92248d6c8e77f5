import { existsSync } from "node:fs";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";

// node kit/db/new-migration.ts services/task add_labels
// Writes an empty migration and lists it last in db/mikro-orm.config.ts. What it does is written by hand, both ways.
const [service = "", slug = ""] = process.argv.slice(2);
const folder = join(service, "db/migrations");
if (!existsSync(folder) || !/^[a-z][a-z0-9_]*$/.test(slug)) {
  process.stderr.write("usage: node kit/db/new-migration.ts <service folder> <slug_in_snake_case>\n");
  process.exit(2);
}

const time = new Date().toISOString().replaceAll(/\D/g, "").slice(0, 14);
const name = `Migration${time}_${slug}`;
const variable = slug.replaceAll(/_+([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());
const body = `import { sqlMigration } from "#kit/db/migrate.ts";

export const ${variable} = sqlMigration("${name}", ["-- up"], ["-- down"]);
`;
const file = join(folder, `${name}.ts`);
await writeFile(file, body, { flag: "wx" });

const list = join(service, "db/mikro-orm.config.ts");
const before = await readFile(list, "utf8");
const listed = before.replace(/(export const migrations[^;]*)\];/, `$1, ${variable}];`);
await writeFile(list, `import { ${variable} } from "./migrations/${name}.ts";\n${listed}`);
process.stdout.write(`${file}\n`);
