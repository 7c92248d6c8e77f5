import { readFile } from "node:fs/promises";
import { Format } from "#gen/task/v1/task_import_pb.js";
import { Role } from "#gen/task/v1/task_pb.js";
import { Taskmesh } from "../../clients/typescript/src/client.ts";

export interface Someone {
  name: string;
  email: string;
  userId: string;
  mesh: Taskmesh;
}

/** Opens an account, signed in, under an address of its own. */
export async function join(baseUrl: string, name: string): Promise<Someone> {
  const mesh = new Taskmesh({ baseUrl });
  const email = `${name.toLowerCase()}.${crypto.randomUUID().slice(0, 8)}@example.com`;
  const { user } = await mesh.auth.register({ email, password: crypto.randomUUID(), displayName: name });
  return { name, email, userId: user?.userId ?? "", mesh };
}

/** Imports a project that Todoist exported. */
export async function importProject(someone: Someone, file: URL): Promise<string[]> {
  const content = await readFile(file);
  const answer = await someone.mesh.tasks.importTasks({
    format: Format.TODOIST_CSV,
    content,
    timeZone: "Europe/Berlin",
  });
  return answer.taskIds;
}

/** Creates a task, shares it, talks about it and has the other one complete it. Answers with the task's id. */
export async function doTogether(owner: Someone, helper: Someone): Promise<string> {
  const { task } = await owner.mesh.tasks.createTask({
    task: { title: "Book the night train to Zürich", priority: 3, due: { date: inDays(14) } },
  });
  const taskId = task?.taskId ?? "";
  await owner.mesh.tasks.shareTask({ taskId, email: helper.email, role: Role.EDITOR });
  await owner.mesh.tasks.createComment({ taskId, text: "A couchette is fine, a window would be lovely." });
  await helper.mesh.tasks.completeTask({ taskId });
  return taskId;
}

function inDays(days: number): string {
  return new Date(Date.now() + days * 86_400_000).toISOString().slice(0, 10);
}
