import type { Person } from "../../_util/person.ts";

/** The tasks of which somebody was told, each as often as it stands in the inbox. */
export async function inboxOf(person: Person): Promise<string[]> {
  const taskIds: string[] = [];
  let pageToken = "";
  do {
    const page = await person.ask(`GET /v1/notifications?pageSize=200&pageToken=${encodeURIComponent(pageToken)}`);
    taskIds.push(...(page.notifications ?? []).map(({ taskId }: { taskId: string }) => taskId));
    pageToken = page.nextPageToken ?? "";
  } while (pageToken !== "");
  return taskIds;
}
