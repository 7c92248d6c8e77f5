import { kafkaOf, ownership } from "../../_util/kafka.ts";
import type { Person } from "../../_util/person.ts";
import { until } from "../../_util/until.ts";
import { inboxOf } from "./inbox.ts";
import type { Finding, Size, Stage } from "./stage.ts";

const group = "notification";
const topic = "task.events.v1";
const partitions = 12;

/** One of two workers is killed and stays away: the other takes its partitions, and hands some back when it returns. */
export async function workerAway(
  stage: Stage,
  { rps, patienceMs: timeoutMs = 60_000 }: Pick<Size, "rps" | "patienceMs">,
): Promise<Finding> {
  const [ann, bob] = await stage.people("Ann", "Bob");
  const kafka = await kafkaOf(stage.mesh);
  const untilShared = (count: number) =>
    until(
      `${count} workers to share the partitions`,
      async () => {
        const shares = (await ownership(kafka, group, topic)).filter((share) => share > 0);
        return shares.length === count && shares.reduce((sum, share) => sum + share, 0) === partitions;
      },
      { timeoutMs, everyMs: 250 },
    );
  await stage.mesh.scale("consumers", 2);
  await untilShared(2);
  const load = await stage.load(ann, { rps, assigneeIds: [bob.userId] });
  await until("both to have work", () => load.wishes.filter(({ taskId }) => taskId).length > 2 * rps);
  const { id } = await stage.begin({ kind: "kill", target: "consumers-1" }, 600_000);
  const killed = performance.now();
  await untilShared(1);
  const moved = performance.now() - killed;
  const violations: string[] = [];
  // The workers' own work goes on with one of them: everything that has been asked for so far is told.
  const early = load.wishes.flatMap(({ taskId }) => taskId ?? []);
  await untilTold(bob, early, timeoutMs).catch(({ message }) => violations.push(message));
  await stage.heal(id);
  await untilShared(2);
  await load.end();
  const wanted = load.wishes.flatMap(({ taskId }) => taskId ?? []);
  const told = await untilTold(bob, wanted, timeoutMs).catch(({ message }) => {
    violations.push(message);
    return inboxOf(bob);
  });
  if (new Set(told).size < told.length) violations.push(`${told.length - new Set(told).size} tasks were told of twice`);
  await stage.mesh.scale("consumers", 1);
  return { figures: { tasks: wanted.length, "partitions moved after, ms": Math.round(moved) }, violations };
}

function untilTold(person: Person, taskIds: readonly string[], timeoutMs: number): Promise<string[]> {
  return until(
    `all of ${taskIds.length} tasks to be told of`,
    async () => {
      const told = await inboxOf(person);
      const known = new Set(told);
      return taskIds.every((taskId) => known.has(taskId)) && told;
    },
    { timeoutMs, everyMs: 250 },
  );
}
