import { readFileSync, writeSync } from "node:fs";
import { create, fromBinary, type Message, toBinary } from "@bufbuild/protobuf";
import { conformanceMessage } from "./descriptors.ts";

/**
 * What the runner takes for the server: it asks on stdin for one of some kind, and is told where the edge is, which
 * serves them all. Started with the ports and the certificate of the edge as arguments; ends with the runner's signal.
 */
const [port, tlsPort, certFile] = process.argv.slice(2);
const { useTls } = fromBinary(
  conformanceMessage("ServerCompatRequest"),
  readFileSync(process.stdin.fd).subarray(4),
) as Message & { useTls: boolean };
const schema = conformanceMessage("ServerCompatResponse");
const place = useTls
  ? { host: "127.0.0.1", port: Number(tlsPort), pemCert: readFileSync(String(certFile)) }
  : { host: "127.0.0.1", port: Number(port) };
const answer = toBinary(schema, create(schema, place));
const length = Buffer.alloc(4);
length.writeUInt32BE(answer.length);
writeSync(process.stdout.fd, Buffer.concat([length, answer]));
setInterval(() => {}, 60_000);
