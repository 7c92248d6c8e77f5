import { setTimeout as sleep } from "node:timers/promises";
import { clone, create, createFileRegistry, type DescFile, type DescService } from "@bufbuild/protobuf";
import { type FileDescriptorProto, FileDescriptorProtoSchema, FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError, type ServiceImpl } from "@connectrpc/connect";
import { Health, HealthCheckResponse_ServingStatus as Serving } from "#gen/grpc/health/v1/health_pb.js";
import { ServerReflection } from "#gen/grpc/reflection/v1/reflection_pb.js";
import { ReflectionIndex } from "#kit/grpc/reflection.ts";
import type { Lifecycle } from "#kit/lifecycle.ts";
import { isExposed } from "./services.ts";

const watchEveryMs = 1000;

/** A service that the edge answers itself. */
export interface OwnService {
  desc: DescService;
  impl: Partial<ServiceImpl<DescService>>;
}

/** grpc.health.v1 of the edge, and grpc.reflection.v1 of what may be called from outside. */
export function ownServices(services: readonly DescService[], lifecycle: Lifecycle): OwnService[] {
  const names = new Set(["", ...services.map(({ typeName }) => typeName)]);
  return [own(Health, healthOf(names, lifecycle)), own(ServerReflection, reflectionOf(services))];
}

function own<S extends DescService>(desc: S, impl: ServiceImpl<S>): OwnService {
  return { desc, impl: impl as OwnService["impl"] };
}

function healthOf(names: ReadonlySet<string>, lifecycle: Lifecycle): ServiceImpl<typeof Health> {
  const status = () => (lifecycle.ready ? Serving.SERVING : Serving.NOT_SERVING);
  return {
    check: ({ service }) => {
      if (!names.has(service)) throw new ConnectError("this server does not have the service", Code.NotFound);
      return { status: status() };
    },
    list: () => ({ statuses: Object.fromEntries([...names].map((name) => [name, { status: status() }])) }),
    async *watch({ service }, { signal }) {
      let last: Serving | undefined;
      while (!signal.aborted) {
        const current = names.has(service) ? status() : Serving.SERVICE_UNKNOWN;
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
