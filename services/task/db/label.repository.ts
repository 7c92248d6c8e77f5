import { statement } from "#kit/db/statement.ts";
import { newId } from "#kit/id.ts";
import { labelKey } from "../domain/label-name.ts";
import type { Run } from "./queries.ts";

export interface Label {
  labelId: string;
  name: string;
  createTime: Date;
}

interface LabelRow {
  label_id: string;
  name: string;
  create_time: Date;
}

const ensureStatement = statement(
  "label-ensure",
  `INSERT INTO label (label_id, owner_id, name, name_key, create_time)
   SELECT label_id, $2::uuid, name, name_key, $5::timestamptz
   FROM unnest($1::uuid[], $3::text[], $4::text[]) AS wanted (label_id, name, name_key)
   ON CONFLICT (owner_id, name_key) DO NOTHING`,
);

const byKeyStatement = statement(
  "label-by-key",
  "SELECT label_id, name, create_time FROM label WHERE owner_id = $1::uuid AND name_key = ANY($2::text[])",
);

const listStatement = statement(
  "label-list",
  "SELECT label_id, name, create_time FROM label WHERE owner_id = $1::uuid ORDER BY name_key, label_id",
);

const countStatement = statement("label-count", "SELECT count(*) AS count FROM label WHERE owner_id = $1::uuid");

const ownedStatement = statement(
  "label-owned",
  "SELECT count(*) AS count FROM label WHERE owner_id = $1::uuid AND label_id = ANY($2::uuid[])",
);

/** The owner's labels of these names, regardless of case; makes those that are missing. */
export async function ensureLabels(run: Run, ownerId: string, names: readonly string[], at: Date): Promise<Label[]> {
  const byKey = new Map(names.map((name) => [labelKey(name), name]));
  // Always in one order, so that two imports at once cannot lock each other out.
  const keys = [...byKey.keys()].sort();
  await run(ensureStatement, [keys.map(() => newId()), ownerId, keys.map((key) => byKey.get(key)), keys, at]);
  return labelsByKey(run, ownerId, keys);
}

/** The owner's labels with these keys, of which some may not be there. */
export async function labelsByKey(run: Run, ownerId: string, keys: readonly string[]): Promise<Label[]> {
  return (await run<LabelRow>(byKeyStatement, [ownerId, keys])).map(toLabel);
}

/** All labels of the owner by name. */
export async function labelsOf(run: Run, ownerId: string): Promise<Label[]> {
  return (await run<LabelRow>(listStatement, [ownerId])).map(toLabel);
}

export async function countLabels(run: Run, ownerId: string): Promise<number> {
  const [row] = await run<{ count: bigint }>(countStatement, [ownerId]);
  return Number(row?.count ?? 0n);
}

/** Whether all of these labels are the owner's. */
export async function ownsLabels(run: Run, ownerId: string, labelIds: readonly string[]): Promise<boolean> {
  const [row] = await run<{ count: bigint }>(ownedStatement, [ownerId, labelIds]);
  return row?.count === BigInt(labelIds.length);
}

function toLabel(row: LabelRow): Label {
  return { labelId: row.label_id, name: row.name, createTime: row.create_time };
}
