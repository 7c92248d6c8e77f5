import type { AlertEvent } from "#gen/notification/v1/alert_events_pb.js";
import type { User } from "#gen/user/v1/user_pb.js";
import { ServiceError } from "#kit/errors.ts";
import { PermanentEventError } from "#kit/events/consumer.ts";
import { isId } from "#kit/id.ts";
import type { KnownEvent } from "../decode.ts";
import { languageOf } from "../language.ts";
import type { UrgentGroupContext } from "./context.ts";
import { type AlertText, acknowledgedText, raisedText } from "./texts.ts";

type Fact = Exclude<KnownEvent<AlertEvent>["fact"], { case: "alertMailRequested" }>;

/** What somebody is to read of an alert. */
export interface AlertNotice extends AlertText {
  alertId: string;
  recipientId: string;
  kind: "alert_raised" | "alert_acknowledged";
}

/** Writes the notice in the reader's language; undefined when nobody has the recipient's id. */
export async function writeNotice(
  { people }: Pick<UrgentGroupContext, "people">,
  { alertId, recipientId }: Pick<AlertEvent, "alertId" | "recipientId">,
  fact: Fact,
  signal: AbortSignal,
): Promise<AlertNotice | undefined> {
  const actorId = fact.case === "alertRaised" ? fact.value.raiserId : fact.value.acknowledgerId;
  if (![alertId, recipientId, actorId].every(isId)) throw new PermanentEventError("refused");
  const profiles = await profilesOf(people, [recipientId, actorId], signal);
  const reader = profiles?.get(recipientId);
  if (profiles !== undefined && reader === undefined) return undefined;
  const language = languageOf(reader?.locale ?? "");
  const actor = profiles?.get(actorId)?.displayName ?? "";
  const { message } = fact.value;
  if (fact.case === "alertAcknowledged")
    return { alertId, recipientId, kind: "alert_acknowledged", ...acknowledgedText(language, { actor, message }) };
  const { repeat, location } = fact.value;
  return {
    alertId,
    recipientId,
    kind: "alert_raised",
    ...raisedText(language, { actor, message }, repeat, location),
  };
}

/** Undefined while the user service is away: an alert does not wait for names. */
async function profilesOf(
  people: UrgentGroupContext["people"],
  ids: string[],
  signal: AbortSignal,
): Promise<Map<string, User> | undefined> {
  try {
    return await people.byId(ids, signal);
  } catch (error) {
    if (error instanceof ServiceError && !signal.aborted) return undefined;
    throw error;
  }
}
