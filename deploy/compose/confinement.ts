/** What every container is held to: what it may take of the machine, and what it may do there. */

interface Share {
  cpus: string;
  memory: string;
}

export interface Resources {
  limits: Share;
  reservations: Share;
}

const share = (cpus: string, memory: string): Share => ({ cpus, memory });

/** Of each container of ours. A replica takes as much again. */
export const memberResources: Resources = { limits: share("1.0", "512M"), reservations: share("0.5", "256M") };

export const partResources = {
  postgres: { limits: share("0.5", "1G"), reservations: share("0.25", "512M") },
  redis: { limits: share("0.25", "512M"), reservations: share("0.1", "64M") },
  kafka: { limits: share("1.0", "1G"), reservations: share("0.5", "512M") },
  envoy: { limits: share("1.0", "1G"), reservations: share("0.25", "64M") },
  jaeger: { limits: share("0.5", "512M"), reservations: share("0.1", "128M") },
  prometheus: { limits: share("0.5", "1G"), reservations: share("0.1", "128M") },
  setup: { limits: share("1.0", "512M"), reservations: share("0.1", "64M") },
  small: { limits: share("0.25", "256M"), reservations: share("0.05", "32M") },
} as const satisfies Record<string, Resources>;

/** No capability, no way to gain one, and nothing of the image can be changed; `writable` are folders in memory. */
export function confined(writable: readonly string[] = []) {
  return {
    read_only: true,
    ...(writable.length > 0 ? { tmpfs: [...writable] } : {}),
    ...powerless,
  };
}

/** The same for a program that writes into its own image. */
export const powerless = { cap_drop: ["ALL"], security_opt: ["no-new-privileges:true"] };

/** What a container writes is kept by Docker, as `mesh logs` keeps it natively: at most so much, and one file before it. */
const logging = { driver: "json-file", options: { "max-size": "16m", "max-file": "2" } };

/** Starts again after a fault, not after it was told to end. Docker Swarm reads the same under `deploy`. */
export function supervised(resources: Resources, deployment: Record<string, unknown> = {}) {
  return {
    logging,
    deploy: { ...deployment, resources, restart_policy: { condition: "on-failure" } },
    restart: "on-failure",
  };
}

/** How the health of a container is asked. It may take five minutes to start; then five failures in a row count. */
export function check(...test: string[]) {
  return { test: ["CMD", ...test], interval: "10s", timeout: "10s", retries: 5, start_period: "300s" };
}

/**
 * Whether a page of the container answers 200. Done by bash itself, which all of these images have, because a client
 * that has to start first (Node, a JVM) would cost more than the process that it asks.
 */
export function pageAnswers(port: number, path: string) {
  const request = `GET ${path} HTTP/1.1\\r\\nHost: localhost\\r\\nConnection: close\\r\\n\\r\\n`;
  const steps = [
    `exec 3<>/dev/tcp/127.0.0.1/${port}`,
    `printf '${request}' >&3`,
    "read -r _ status _ <&3",
    // The second dollar sign keeps docker-compose from replacing it.
    '[ "$$status" = 200 ]',
  ];
  return check("bash", "-c", steps.join(" && "));
}

/** Whether something listens on a port of the container. */
export function portAnswers(port: number) {
  return check("bash", "-c", `exec 3<>/dev/tcp/127.0.0.1/${port}`);
}

/** What must be healthy, or have ended well, before a container starts. */
export function after(names: readonly string[]) {
  const condition = (name: string) => (name === "setup" ? "service_completed_successfully" : "service_healthy");
  return { depends_on: Object.fromEntries(names.map((name) => [name, { condition: condition(name) }])) };
}
