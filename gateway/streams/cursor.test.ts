import { create } from "@bufbuild/protobuf";
import { expect, it } from "vitest";
import { NotificationService } from "#gen/notification/v1/notification_service_pb.js";
import { cursorOf, resumeAt } from "./cursor.ts";

const { watchNotifications: watch, listNotifications: list } = NotificationService.method;

it("reads and writes the field that the proto calls the cursor", () => {
  expect(cursorOf(watch, create(watch.output, { cursor: "c" }))).toBe("c");
  expect(cursorOf(watch, create(watch.output))).toBeUndefined();
  const request = create(watch.input, { cursor: "old" });
  resumeAt(watch, request, undefined);
  resumeAt(watch, request, "");
  expect(request.cursor).toBe("old");
  resumeAt(watch, request, "new");
  expect(request.cursor).toBe("new");
});

it("leaves messages without one alone", () => {
  const request = create(list.input);
  resumeAt(list, request, "new");
  expect(request).toEqual(create(list.input));
  expect(cursorOf(list, create(list.output))).toBeUndefined();
});
