import { Channel, type ChannelInterface, credentials, logVerbosity, setLogVerbosity } from "@grpc/grpc-js";

const channelOptions = {
  // One connection for each channel, else both would share one.
  "grpc.use_local_subchannel_pool": 1,
  // grpc-node#2620: without these a restart of the other side can be noticed 20 s late.
  "grpc.initial_reconnect_backoff_ms": 100,
  "grpc.min_reconnect_backoff_ms": 200,
  "grpc.max_reconnect_backoff_ms": 2_000,
  // Envoy retries; a second layer would multiply.
  "grpc.enable_retries": 0,
  "grpc.service_config_disable_resolution": 1,
  "grpc.enable_http_proxy": 0,
  "grpc.enable_channelz": 0,
  "grpc.keepalive_time_ms": 30_000,
  "grpc.keepalive_timeout_ms": 5_000,
  "grpc.max_receive_message_length": 8 * 1024 * 1024,
};

/**
 * The way into the mesh: one address (Envoy's mesh listener) for all services, over a few connections for the life of
 * the process. A connection takes no more than about a hundred streams at a time, so one would be too few.
 */
export class MeshChannel {
  readonly address: string;
  readonly #channels: ChannelInterface[];
  #next = 0;

  constructor(address: string, options: { connections?: number } = {}) {
    // grpc-js would print headers that it cannot parse, tokens among them.
    setLogVerbosity(logVerbosity.NONE);
    this.address = address;
    this.#channels = Array.from(
      { length: options.connections ?? 2 },
      (_, index) => new Channel(address, credentials.createInsecure(), { ...channelOptions, "mesh.connection": index }),
    );
  }

  /** The connections, one after the other. */
  next(): ChannelInterface {
    this.#next = (this.#next + 1) % this.#channels.length;
    return this.#channels[this.#next] as ChannelInterface;
  }

  /** Ends all connections; calls under way fail. */
  close(): void {
    for (const channel of this.#channels) channel.close();
  }
}
