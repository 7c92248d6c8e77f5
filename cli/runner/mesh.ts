import type { Server } from "node:net";
import type { OpsServer } from "../ops/server.ts";
import { startOps } from "../ops/start.ts";
import { databases, type ProcessName, processes, processNames, type UnitName } from "../topology.ts";
import { UserError } from "../user-error.ts";
import { answer } from "./actions.ts";
import { edgeCertificate } from "./certificate.ts";
import { serveControl } from "./control.ts";
import { ensureDatabases, ensureOwners } from "./db/databases.ts";
import { dropOtherSlots } from "./db/replication.ts";
import { Edge } from "./edge.ts";
import { frontedPorts } from "./fault/targets.ts";
import type { Home } from "./home.ts";
import { Instance, type InstanceEvents } from "./instance.ts";
import { rotateLogs } from "./log-rotation.ts";
import { meshOrder } from "./mesh-order.ts";
import { makePlan, type Plan } from "./mesh-plan.ts";
import { MeshPorts } from "./mesh-ports.ts";
import { describePart, describeReplica, type Programs, type SinglePart } from "./part-specs.ts";
import { forgetSuccession } from "./parts/envoy.ts";
import { slotOf } from "./parts/postgres-replica.ts";
import type { Program } from "./parts/program.ts";
import { specOf } from "./process-specs.ts";
import { startTimeOf } from "./process-table.ts";
import { Releases } from "./release/releases.ts";
import type { RunningMesh } from "./running-mesh.ts";
import { prepareScraping, writeScrapeTargets } from "./scrape-targets.ts";
import { ownParts, type Settings } from "./settings.ts";
import { readState, writeState } from "./state.ts";
import { addressesOf, type MeshStatus, measure, memoryOf, stateOf, titleOf } from "./status.ts";
import { Supervisor } from "./supervisor.ts";
import { Tracing } from "./tracing.ts";

export interface MeshOptions {
  home: Home;
  settings: Settings;
  programs: Programs;
  /** A line for the operator. */
  say: (line: string) => void;
}

/** One running mesh: its parts, its processes, its control socket, and its state on disk. */
export class Mesh implements RunningMesh {
  readonly #options: MeshOptions;
  readonly supervisor = new Supervisor(meshOrder);
  readonly edge: Edge;
  readonly releases = new Releases();
  readonly #ports: MeshPorts;
  readonly #tracing = new Tracing();
  readonly #startedAt = new Date();
  readonly #closed = Promise.withResolvers<void>();
  readonly #abort = new AbortController();
  #runnerStartTime: string | undefined;
  #plan: Plan | undefined;
  #control: Server | undefined;
  #ops: OpsServer | undefined;
  #chores: NodeJS.Timeout | undefined;
  #stopping: Promise<void> | undefined;
  #changing: Promise<unknown> = Promise.resolve();
  #underWay: string | undefined;
  #ready = false;

  constructor(options: MeshOptions) {
    this.#options = options;
    this.#ports = new MeshPorts(options.settings, readState(options.home.stateFile)?.ports ?? {});
    this.edge = new Edge(options.home.envoy);
  }

  /** Resolves when the mesh has been stopped, by whomever. */
  get closed(): Promise<void> {
    return this.#closed.promise;
  }

  /** Starts everything and resolves once all of it answers: false when it was stopped meanwhile. Rejects with one line. */
  async start(): Promise<boolean> {
    try {
      await this.#start();
    } catch (error) {
      if (this.#stopping === undefined) throw error;
    }
    this.#ready = this.#stopping === undefined;
    if (this.#ready) return true;
    await this.#stopping;
    // What the start has opened since.
    await this.#closeDoors();
    return false;
  }

  async #start(): Promise<void> {
    const { home, settings, programs, say } = this.#options;
    this.#runnerStartTime = await startTimeOf(process.pid);
    this.#control = await serveControl(home, (request, progress) => answer(this, request, progress));
    this.#chores = setInterval(() => void this.#doChores(), 10_000);
    const tracing = await this.#tracing.prepare(settings);
    const plan = await makePlan({
      ...{ home, settings, programs, tracing },
      ...{ ports: this.#ports, edge: this.edge, signal: this.signal },
    });
    this.#plan = plan;
    prepareScraping(home);
    this.#ops = await startOps(this);
    const parts = ownParts(settings).filter((name) => name !== "jaeger");
    for (const name of parts) await (name === "postgres-replica" ? this.#addReplicas(plan) : this.#addPart(name, plan));
    const units = processNames.filter((name) => name !== "mail" || settings.external.smtp === undefined);
    for (const name of units) {
      for (let count = processes[name].replicas[settings.profile]; count > 0; count--) await this.addInstance(name);
    }
    if (ownParts(settings).includes("jaeger") && tracing) this.#tracing.begin((found) => this.#runJaeger(found), say);
    if (settings.external.postgres) await ensureDatabases(settings.external.postgres, databases);
    await this.supervisor.start([...parts, ...units], (unit) => this.#between(unit));
    await this.settle();
  }

  /** Stops everything in reverse order. Once, however often it is called. */
  stop(): Promise<void> {
    this.#stopping ??= this.#stop();
    return this.#stopping;
  }

  get home(): Home {
    return this.#options.home;
  }

  get settings(): Settings {
    return this.#options.settings;
  }

  get plan(): Plan {
    return this.#plan as Plan;
  }

  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  say(line: string): void {
    this.#options.say(line);
  }

  async status(): Promise<MeshStatus> {
    const { instances } = this.supervisor;
    await measure(instances);
    return {
      profile: this.#options.settings.profile,
      home: this.#options.home.folder,
      startedAt: this.#startedAt.toISOString(),
      ready: this.#ready,
      addresses: addressesOf(this.#options.settings),
      tracing: this.#tracing.status,
      instances: instances.map(stateOf),
      memory: memoryOf(instances),
    };
  }

  async #addReplicas(plan: Plan): Promise<void> {
    for (const replica of plan.replicas) {
      const spec = await describeReplica(replica, plan.partPorts.postgres, plan.parts);
      this.supervisor.add("postgres-replica", new Instance(spec, replica.reached, this.#events("postgres-replica")));
    }
  }

  async #addPart(name: SinglePart, plan: Plan): Promise<Instance> {
    const ports = plan.partPorts[name];
    const spec = await describePart(name, ports, plan.parts);
    const instance = new Instance(spec, plan.reachedPorts[name], this.#events(name));
    this.supervisor.add(name, instance);
    return instance;
  }

  async addInstance(name: ProcessName, version = this.releases.versions.get(name)): Promise<Instance> {
    const { home } = this.#options;
    const { surroundings, fronts } = this.plan;
    const taken = new Set(this.supervisor.instancesOf(name).map((instance) => instance.name));
    let index = 1;
    while (taken.has(`${name}-${index}`)) index++;
    const instanceName = name === "mail" ? name : `${name}-${index}`;
    const ports = await this.#ports.ofInstance(name, instanceName);
    const reached = (await fronts?.open(instanceName, ports, frontedPorts(name))) ?? ports;
    const spec = specOf(name, instanceName, ports, { home, surroundings, version });
    const instance = new Instance(spec, reached, this.#events(name));
    this.supervisor.add(name, instance);
    return instance;
  }

  addEnvoy(): Promise<Instance> {
    this.plan.parts.envoyEpoch++;
    return this.#addPart("envoy", this.plan);
  }

  inTurn<T>(change: () => Promise<T>, title?: string): Promise<T> {
    if (!this.#ready) throw new UserError("Taskmesh is starting or stopping: try again when it is ready");
    if (this.#underWay !== undefined) throw new UserError(`${this.#underWay} is under way: try again when it is over`);
    this.#underWay = title;
    const begin = () => {
      if (!this.#ready) throw new UserError("Taskmesh is stopping: nothing was changed");
      return change();
    };
    const turn = this.#changing.then(begin).finally(() => {
      if (title !== undefined) this.#underWay = undefined;
    });
    this.#changing = turn.catch(() => {});
    return turn;
  }

  async #runJaeger(program: Program): Promise<void> {
    const { plan } = this;
    plan.parts.programs.jaeger = program;
    await (await this.#addPart("jaeger", plan)).start();
  }

  #events(unit: UnitName): InstanceEvents {
    const row = unit in processes ? processes[unit as ProcessName] : undefined;
    return {
      changed: () => this.#save(),
      up: async (instance) => (row === undefined ? undefined : this.edge.add(instance, row)),
      down: async (instance) => {
        if (row === undefined) return;
        await this.edge.remove(instance, row);
        await this.edge.hasLetGo(instance, row, this.#options.settings.publicPorts.envoyAdmin);
      },
      say: this.#options.say,
    };
  }

  async #between(unit: UnitName): Promise<void> {
    const { adminUrl } = this.plan;
    if (unit === "postgres" && adminUrl !== undefined) {
      await ensureDatabases(adminUrl, databases);
      await ensureOwners(adminUrl, databases);
      await dropOtherSlots(
        adminUrl,
        this.plan.replicas.map(({ name }) => slotOf(name)),
      );
    }
    const seconds = ((Date.now() - this.#startedAt.getTime()) / 1000).toFixed(1);
    const count = this.supervisor.instancesOf(unit).length;
    this.#options.say(`${titleOf(unit)} is ready (${count > 1 ? `${count} instances, ` : ""}${seconds} s)`);
  }

  /** What is ready is of use only once Envoy has seen so, too. */
  async settle(): Promise<void> {
    const { settings, say } = this.#options;
    if (await this.edge.settle(settings.publicPorts.envoyAdmin, this.#abort.signal)) return;
    say(`Envoy does not reach every instance yet: see http://127.0.0.1:${settings.publicPorts.envoyAdmin}/clusters`);
  }

  async #stop(): Promise<void> {
    this.#ready = false;
    this.#abort.abort();
    await this.#ops?.close().catch(() => {});
    await this.#tracing.stop();
    await this.supervisor.stop();
    if (this.#plan) await forgetSuccession(this.#plan.partPorts.envoy.mesh as number).catch(() => {});
    this.#save();
    await this.#closeDoors();
    this.#closed.resolve();
  }

  async #closeDoors(): Promise<void> {
    await this.#ops?.close().catch(() => {});
    await this.#plan?.fronts?.close();
    clearInterval(this.#chores);
    this.#control?.close();
  }

  async #doChores(): Promise<void> {
    await rotateLogs(this.#options.home.logs).catch(() => {});
    await edgeCertificate(this.#options.home.keys).catch(() => {});
    await measure(this.supervisor.instances);
    if (!this.#stopping) this.#save();
  }

  #save(): void {
    writeScrapeTargets(this.home, this.supervisor.instances, this.settings.publicPorts);
    writeState(this.#options.home.stateFile, {
      runner: { pid: process.pid, startTime: this.#runnerStartTime },
      startedAt: this.#startedAt.toISOString(),
      profile: this.#options.settings.profile,
      ports: this.#ports.taken,
      instances: this.supervisor.instances.map(stateOf),
    });
  }
}
