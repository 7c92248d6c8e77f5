/** The peer of P12: fastify with one answer. Of JavaScript, so that the compiler for TypeScript takes none of its memory. */
import fastify from "fastify";

const app = fastify();

app.get("/", () => ({ title: "Send the quarterly figures to the board", done: false }));

process.stdout.write(`listening ${await app.listen({ host: "127.0.0.1", port: 0 })}\n`);
