import { setTimeout as sleep } from "node:timers/promises";
import { clone, create, createFileRegistry, type DescFile, type DescService } from "@bufbuild/protobuf";
import { type FileDescriptorProto, FileDescriptorProtoSchema, FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError, type ServiceImpl } from "@connectrpc/connect";
import { Health, HealthCheckResponse_ServingStatus as Serving } from "#gen/grpc/health/v1/health_pb.js";
import { ServerReflection } from "#gen/grpc/reflection/v1/reflection_pb.js";
import { ReflectionIndex } from "#kit/grpc/reflection.ts";
import type { Lifecycle } from "#kit/lifecycle.ts";
import type { MeshHealthBoard } from "./edge-health.ts";
import { isExposed, meshServices } from "./services.ts";

const watchEveryMs = 250;

/** A service that the edge answers itself. */
export interface OwnService {
  desc: DescService;
  impl: Partial<ServiceImpl<DescService>>;
}

/** What the edge knows of itself and of what is behind it. */
export interface EdgeState {
  lifecycle: Pick<Lifecycle, "ready">;
  meshHealth: Pick<MeshHealthBoard, "read">;
}

/** grpc.health.v1 of the edge, and grpc.reflection.v1 of what may be called from outside. */
export function ownServices(services: readonly DescService[], state: EdgeState): OwnService[] {
  const names = new Set(["", ...services.map(({ typeName }) => typeName)]);
  return [own(Health, healthOf(names, state)), own(ServerReflection, reflectionOf(services))];
}

function own<S extends DescService>(desc: S, impl: ServiceImpl<S>): OwnService {
  return { desc, impl: impl as OwnService["impl"] };
}

const meshNames = new Map(Object.entries(meshServices).map(([name, { typeName }]) => [typeName, name]));

/** The edge ("") serves while the gateway takes calls; a service, while calls to it have somewhere to go, too. */
function healthOf(names: ReadonlySet<string>, { lifecycle, meshHealth }: EdgeState): ServiceImpl<typeof Health> {
  const status = async (typeName: string) => {
    if (!lifecycle.ready) return Serving.NOT_SERVING;
    const name = meshNames.get(typeName);
    if (name === undefined) return Serving.SERVING;
    const { parts } = await meshHealth.read();
    return parts[name]?.status === "SERVING" ? Serving.SERVING : Serving.NOT_SERVING;
  };
  return {
    check: async ({ service }) => {
      if (!names.has(service)) throw new ConnectError("this server does not have the service", Code.NotFound);
      return { status: await status(service) };
    },
    list: async () => {
      const statuses = await Promise.all([...names].map(async (name) => [name, { status: await status(name) }]));
      return { statuses: Object.fromEntries(statuses) };
    },
    async *watch({ service }, { signal }) {
      let last: Serving | undefined;
      while (!signal.aborted) {
        const current = names.has(service) ? await status(service) : Serving.SERVICE_UNKNOWN;
        if (current !== last) yield { status: current };
        last = current;
        await sleep(watchEveryMs, undefined, { signal }).catch(() => {});
      }
    },
  };
}

function reflectionOf(services: readonly DescService[]): ServiceImpl<typeof ServerReflection> {
  const index = new ReflectionIndex([...exposedOnly(services), Health, ServerReflection]);
  return {
    async *serverReflectionInfo(requests) {
      try {
        for await (const request of requests) yield index.answer(request);
      } catch (error) {
        // connect-es takes a message that it cannot read for a fault of ours.
        const isMalformed = error instanceof ConnectError && error.code === Code.Internal;
        throw isMalformed ? new ConnectError("the request is no message of its type", Code.InvalidArgument) : error;
      }
    },
  };
}

/** The same services as if their internal RPCs did not exist. */
function exposedOnly(services: readonly DescService[]): DescService[] {
  const exposed = new Set(services.flatMap(({ methods }) => methods.filter(isExposed).map(String)));
  const files = new Map<string, FileDescriptorProto>();
  for (const { file } of services) collect(file, files, (method) => exposed.has(method));
  const registry = createFileRegistry(create(FileDescriptorSetSchema, { file: [...files.values()] }));
  return services.flatMap(({ typeName }) => registry.getService(typeName) ?? []);
}

/** Puts a file and all that it imports into `files`, imports first. */
function collect(file: DescFile, files: Map<string, FileDescriptorProto>, keep: (method: string) => boolean): void {
  if (files.has(file.proto.name)) return;
  for (const dependency of file.dependencies) collect(dependency, files, keep);
  const copy = clone(FileDescriptorProtoSchema, file.proto);
  for (const service of copy.service) {
    service.method = service.method.filter(({ name }) => keep(`rpc ${copy.package}.${service.name}.${name}`));
  }
  files.set(copy.name, copy);
}
