import { substitute } from "../../../chaos/mutants/substitute.ts";

// Each process believes that it is the only one, and takes what another has taken.
substitute("kit/db/leader.ts", [
  "await tryLead(connection, this.#lock)",
  "(await tryLead(connection, this.#lock)) || true",
]);
substitute("services/notification/db/schedule.repository.ts", [
  "FOR UPDATE SKIP LOCKED",
  "OR s.reminder_id = ANY ($1::uuid[])",
]);
