import { Person } from "../../_util/person.ts";
import type { BenchMesh } from "../bench-mesh.ts";
import type { SignedIn } from "../mixed-calls.ts";
import { during } from "../progress.ts";

const atOnce = 4;

/** Accounts for a crowd to share. The last one is signed in by the mesh, which then knows what the consumers have still to do. */
export async function registerPeople(mesh: BenchMesh, count: number): Promise<SignedIn[]> {
  const people: SignedIn[] = [];
  const register = async () => {
    while (people.length < count - 1) {
      const group = Math.min(atOnce, count - 1 - people.length);
      people.push(
        ...(await Promise.all(Array.from({ length: group }, () => Person.register(mesh.mesh.edge, "Bench")))),
      );
    }
    people.push(await mesh.signIn());
  };
  await during(`Registering ${count} people`, register());
  return people;
}
