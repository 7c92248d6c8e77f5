/** The peer of P2: fastify with an answer that is made already, and nothing else. */
import fastify from "fastify";
import { announce } from "./announce.ts";

const answer = process.env.BENCH_ANSWER ?? "";
const app = fastify();

app.get("/health/ready", () => "ready");
app.get("/v1/tasks/:task_id", (_request, reply) => reply.type("application/json; charset=utf-8").send(answer));

announce(await app.listen({ host: "127.0.0.1", port: 0 }));
