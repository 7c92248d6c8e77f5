import { callBoards } from "./boards/calls.ts";
import { eventBoards } from "./boards/events.ts";
import { machineBoards } from "./boards/machines.ts";
import { type Dashboard, render } from "./model.ts";

export const dashboards: readonly Dashboard[] = [...callBoards, ...eventBoards, ...machineBoards];

/** The JSON files of Grafana by their path in the repository: `npm run dashboards` writes them. */
export function dashboardFiles(): Record<string, string> {
  return Object.fromEntries(
    dashboards.map((dashboard) => [
      `observability/grafana/dashboards/${dashboard.uid}.json`,
      `${JSON.stringify(render(dashboard), undefined, 2)}\n`,
    ]),
  );
}
