import { Redis } from "ioredis";

/** What Redis says about itself: the fields of INFO. One try on a connection of its own; rejects when Redis is away. */
export async function readInfo(url: string): Promise<Map<string, string>> {
  const redis = new Redis(url, {
    lazyConnect: true,
    connectTimeout: 3000,
    commandTimeout: 3000,
    retryStrategy: () => null,
  });
  redis.on("error", () => {});
  try {
    await redis.connect();
    const text = await redis.info();
    return new Map([...text.matchAll(/^(\w+):(.*?)\r?$/gm)].map(([, field = "", value = ""]) => [field, value]));
  } finally {
    redis.disconnect();
  }
}
