import { describe, expect, it } from "vitest";
import { AuthService } from "#gen/auth/v1/auth_service_pb.js";
import { NotificationService } from "#gen/notification/v1/notification_service_pb.js";
import { TaskService } from "#gen/task/v1/task_service_pb.js";
import { TestService } from "../grpc/testing.ts";
import { inheritedPriority, priorityOf } from "./priority.ts";

describe("the priority of a call", () => {
  it("follows from the policy of its method: alerts, then changes, then reads, then batch work", () => {
    expect(priorityOf(TestService.method.urgent)).toBe("urgent");
    expect(priorityOf(NotificationService.method.raiseAlert)).toBe("urgent");
    expect(priorityOf(NotificationService.method.acknowledgeAlert)).toBe("urgent");
    expect(priorityOf(NotificationService.method.listAlerts)).toBe("read");
    expect(priorityOf(TaskService.method.createTask)).toBe("write");
    expect(priorityOf(TaskService.method.shareTask)).toBe("write");
    expect(priorityOf(AuthService.method.logout)).toBe("write");
    expect(priorityOf(TaskService.method.listTasks)).toBe("read");
    expect(priorityOf(TaskService.method.importTasks)).toBe("background");
  });

  it("is that of the call on whose behalf it is made", () => {
    expect(inheritedPriority(TaskService.method.listTasks, "urgent")).toBe("urgent");
    expect(inheritedPriority(TaskService.method.listTasks, undefined)).toBe("read");
    expect(inheritedPriority(TaskService.method.listTasks, "most urgent of all")).toBe("read");
  });
});
