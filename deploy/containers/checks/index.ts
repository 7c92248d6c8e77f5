import type { Stack } from "../stack.ts";
import { confinement } from "./confinement.ts";
import { crashes } from "./crashes.ts";
import { demo } from "./demo.ts";
import { footprint } from "./footprint.ts";
import { keys } from "./keys.ts";
import { networks } from "./networks.ts";
import { operatorsPage } from "./operators-page.ts";
import { published } from "./published.ts";
import { restart } from "./restart.ts";
import { scaling } from "./scaling.ts";

/** One thing that must hold of the running containers: what was found, in lines, or an error that says what is wrong. */
export interface Check {
  title: string;
  check(stack: Stack): Promise<string[]>;
}

/** In this order: each leaves the containers as the next one needs them. */
export const checks: readonly Check[] = [
  { title: "What is published", check: published },
  { title: "Which networks reach what", check: networks },
  { title: "What containers may do", check: confinement },
  { title: "Who has which secrets", check: keys },
  { title: "The demo, through the published edge", check: demo },
  { title: "What it takes of the machine", check: footprint },
  { title: "The operator's page", check: operatorsPage },
  { title: "Scaling", check: scaling },
  { title: "Crashes under load", check: crashes },
  { title: "Removed and up again with its volumes", check: restart },
];
