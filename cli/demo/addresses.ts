import { readSettings } from "../runner/settings.ts";

/** Where the mesh of this checkout is, as a person reaches it. */
export function addresses(): { edge: string; mail: string; jaeger: string } {
  const { edge, mail, jaeger } = readSettings().publicPorts;
  return {
    edge: `http://127.0.0.1:${edge}`,
    mail: `http://127.0.0.1:${mail}`,
    jaeger: `http://127.0.0.1:${jaeger}`,
  };
}
