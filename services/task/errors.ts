import { ErrorReason } from "#gen/mesh/v1/error_reason_pb.js";
import { notFound, ServiceError } from "#kit/errors.ts";

/** The same for a task that is not there and for one that the caller may not see. */
export function taskNotFound(): ServiceError {
  return notFound(ErrorReason.TASK_NOT_FOUND, "there is no such task");
}

/** The same for a reminder that is not there and for somebody else's. */
export function reminderNotFound(): ServiceError {
  return notFound(ErrorReason.REMINDER_NOT_FOUND, "there is no such reminder");
}

export function userNotFound(): ServiceError {
  return notFound(ErrorReason.USER_NOT_FOUND, "there is no such user");
}

/** FAILED_PRECONDITION: the task cannot go from where it stands to where it should. */
export function wrongState(message: string): ServiceError {
  return new ServiceError({ reason: ErrorReason.TASK_STATE, message });
}

/** FAILED_PRECONDITION. */
export function limitReached(message: string): ServiceError {
  return new ServiceError({ reason: ErrorReason.LIMIT_REACHED, message });
}

export function taskIdTaken(): ServiceError {
  return new ServiceError({ reason: ErrorReason.ALREADY_EXISTS, message: "the task_id is taken" });
}
