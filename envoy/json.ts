/** A message of Envoy's API in its JSON form. */
export type Json = { [key: string]: unknown };

/** A message in an `Any` field. */
export function typed(type: string, message: Json = {}): Json {
  return { "@type": `type.googleapis.com/${type}`, ...message };
}

/** An extension: its name and its configuration. */
export function extension(name: string, type: string, message: Json = {}): Json {
  return { name, typed_config: typed(type, message) };
}

/** A duration, "0.25s". */
export function duration(milliseconds: number): string {
  return `${milliseconds / 1000}s`;
}

export function socketAddress(host: string, port: number): Json {
  return { socket_address: { address: host, port_value: port } };
}
