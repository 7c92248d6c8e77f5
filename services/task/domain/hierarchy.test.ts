import { expect, it } from "vitest";
import type { ServiceError } from "#kit/errors.ts";
import { mustFitBelow, type Place } from "./hierarchy.ts";

const chain = (...taskIds: string[]) => taskIds.map((taskId) => ({ taskId, ownerId: "ada" }));
const place = (given: Partial<Place>): Place => ({ taskId: "t", ownerId: "ada", ancestors: [], height: 1, ...given });

it.each<[string, Partial<Place>, boolean]>([
  ["below a task of its own level", { ancestors: chain("a") }, true],
  ["on the fifth level", { ancestors: chain("d", "c", "b", "a") }, true],
  ["on the sixth level", { ancestors: chain("e", "d", "c", "b", "a") }, false],
  ["with subtasks to the fifth level", { ancestors: chain("b", "a"), height: 3 }, true],
  ["with subtasks to the sixth level", { ancestors: chain("b", "a"), height: 4 }, false],
  ["below a task that cannot be seen", { ancestors: [] }, false],
  ["below somebody else's task", { ancestors: [{ taskId: "a", ownerId: "bob" }] }, false],
  ["below itself", { ancestors: chain("t") }, false],
  ["below one of its own subtasks", { ancestors: chain("b", "t"), height: 2 }, false],
])("a task %s: %s", (_, given, fits) => {
  let field: string | undefined;
  try {
    mustFitBelow(place(given));
  } catch (error) {
    field = (error as ServiceError).fieldViolations[0]?.field;
  }
  expect(field).toBe(fits ? undefined : "task.parent_task_id");
});
