import { invalidArgument } from "#kit/errors.ts";

/** One key of an order, in SQL. Tasks without the value come last both ways. */
export interface SortKey {
  expression: string;
  type: "timestamptz" | "integer" | "text" | "uuid";
  descending: boolean;
}

const sortable: Readonly<Record<string, { column: string; type: SortKey["type"]; isOptional?: boolean }>> = {
  status: { column: "t.status", type: "integer" },
  priority: { column: "t.priority", type: "integer" },
  // A page token holds the keys, so a title counts only as far as it fits there.
  title: { column: "left(t.title, 100)", type: "text" },
  due: { column: "t.due_instant", type: "timestamptz", isOptional: true },
  create_time: { column: "t.create_time", type: "timestamptz" },
  update_time: { column: "t.update_time", type: "timestamptz" },
  complete_time: { column: "t.complete_time", type: "timestamptz", isOptional: true },
};

/** Reads an order of AIP-132, "priority desc, due"; empty when it is blank. Throws INVALID_ARGUMENT for the field `order_by`. */
export function toSortKeys(orderBy: string): SortKey[] {
  if (orderBy.trim() === "") return [];
  const seen = new Set<string>();
  return orderBy.split(",").map((part) => {
    const [name = "", direction = "asc", ...rest] = part.trim().split(/\s+/);
    const field = Object.hasOwn(sortable, name) ? sortable[name] : undefined;
    if (field === undefined) throw wrong(`"${name.slice(0, 40)}" is no field to order by`);
    if (rest.length > 0 || !["asc", "desc"].includes(direction)) throw wrong(`after ${name} only "desc" may follow`);
    if (seen.has(name)) throw wrong(`${name} is there twice`);
    seen.add(name);
    const descending = direction === "desc";
    const last = `'${descending ? "-" : ""}infinity'::timestamptz`;
    return {
      expression: field.isOptional ? `coalesce(${field.column}, ${last})` : field.column,
      type: field.type,
      descending,
    };
  });
}

function wrong(description: string) {
  return invalidArgument("order_by", description);
}
