import { gzipSync } from "node:zlib";
import scalar from "@scalar/fastify-api-reference";
import fastify from "fastify";

// A program of its own: the package takes some 80 MiB to load, which the gateway would keep.
const app = fastify();
app.register(scalar, { routePrefix: "/docs", configuration: { url: "/openapi.json" } });
const { rawPayload } = await app.inject("/docs/js/scalar.js");
process.stdout.write(gzipSync(rawPayload, { level: 9 }));
