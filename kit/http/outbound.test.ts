import { once } from "node:events";
import { createServer, type Server } from "node:http";
import { type AddressInfo, createServer as createTcpServer, isIPv4 } from "node:net";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { isPublicAddress, networks } from "./addresses.ts";
import { Outbound, OutboundError, type OutboundOptions } from "./outbound.ts";

/** Where nobody may be sent to. The sinks of this test listen on loopback, in both families. */
const forbidden = [
  "127.0.0.1",
  "127.0.0.2",
  "127.255.255.254",
  "0.0.0.0",
  "0.1.2.3",
  "10.0.0.1",
  "10.255.255.255",
  "100.64.0.1",
  "100.100.100.200",
  "168.63.129.16",
  "169.254.169.254",
  "169.254.170.2",
  "172.16.0.1",
  "172.31.255.255",
  "192.0.0.192",
  "192.0.2.1",
  "192.168.0.1",
  "192.168.255.255",
  "198.18.0.1",
  "198.51.100.1",
  "203.0.113.1",
  "224.0.0.1",
  "239.255.255.250",
  "255.255.255.255",
];
const forbiddenIpv6 = [
  "::",
  "::1",
  "0:0:0:0:0:0:0:1",
  "fe80::1",
  "febf::1",
  "fec0::1",
  "fc00::1",
  "fd00:ec2::254",
  "ff02::1",
  "ff05::1:3",
  "100::1",
  "2001::1",
  "2001:db8::1",
  "2002:7f00:1::",
  "3fff::1",
  "5f00::1",
  "64:ff9b:1::1",
];

/** Ways to write an IPv4 address in a URL, and to hide it in an IPv6 address. */
function spellings(address: string): string[] {
  const bytes = address.split(".").map(Number) as [number, number, number, number];
  const [a, b, c, d] = bytes;
  const whole = ((a * 256 + b) * 256 + c) * 256 + d;
  const hex = (byte: number) => byte.toString(16).padStart(2, "0");
  const groups = `${hex(a)}${hex(b)}:${hex(c)}${hex(d)}`;
  return [
    address,
    `${address}.`,
    String(whole),
    `0x${whole.toString(16)}`,
    `0${whole.toString(8)}`,
    bytes.map((byte) => `0x${byte.toString(16)}`).join("."),
    bytes.map((byte) => `0${byte.toString(8)}`).join("."),
    `${a}.${b}.${c * 256 + d}`,
    `${a}.${(b * 256 + c) * 256 + d}`,
    address.replaceAll(".", "。"),
    address.replace(/\d/g, (digit) => String.fromCodePoint(0xff10 + Number(digit))),
    address.replace(/\d/, (digit) => `%3${digit}`),
    `[::ffff:${address}]`,
    `[::ffff:${groups}]`,
    `[0:0:0:0:0:ffff:${groups}]`,
    `[::${groups}]`,
    `[64:ff9b::${groups}]`,
    `[2002:${groups}::]`,
  ];
}

let connections = 0;
let ports: number[];
const sinks: Server[] = [];
const tcp = ["127.0.0.1", "::1"].map((host) => {
  const server = createTcpServer((socket) => {
    connections += 1;
    socket.destroy();
  });
  return { host, server };
});

beforeAll(async () => {
  ports = await Promise.all(
    tcp.map(async ({ host, server }) => {
      server.listen(0, host);
      await once(server, "listening");
      return (server.address() as AddressInfo).port;
    }),
  );
});
afterEach(() => {
  for (const sink of sinks.splice(0)) {
    sink.closeAllConnections();
    sink.close();
  }
});
afterAll(() => {
  for (const { server } of tcp) server.close();
});

const request = () => ({ headers: {}, body: "{}", signal: AbortSignal.timeout(30_000) });
const strict = { allowHttp: true, allowedNetworks: [] };
const toSink = { allowHttp: true, allowedNetworks: ["127.0.0.1/32"] };

/** The name of the fault, or the status of the answer. */
async function faultOf(url: string, options: OutboundOptions = strict): Promise<string | number> {
  try {
    return (await new Outbound(options).post(url, request())).status;
  } catch (error) {
    if (!(error instanceof OutboundError)) throw error;
    return error.fault;
  }
}

async function startSink(answer: Parameters<typeof createServer>[1]): Promise<{ port: number; url: string }> {
  const server = createServer({}, answer);
  sinks.push(server);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  return { port, url: `http://127.0.0.1:${port}/hook` };
}

const urls = [...forbidden.flatMap(spellings), ...forbiddenIpv6.map((address) => `[${address}]`)].flatMap((host) => [
  (port: number) => `http://${host}:${port}/`,
  (port: number) => `https://${host}:${port}/x?y=1#z`,
]);

describe("no connection", () => {
  it(`goes to a forbidden address, however it is written: ${urls.length} URLs`, async () => {
    expect(urls.length).toBeGreaterThanOrEqual(300);
    for (const write of urls) {
      for (const port of ports) {
        const url = write(port);
        expect([url, await faultOf(url)]).toEqual([url, expect.stringMatching(/^(address_forbidden|url_invalid)$/)]);
      }
    }
    expect(connections).toBe(0);
  });

  it("goes to a name that stands for a forbidden address, or for one among others", async () => {
    for (const address of [...forbidden, ...forbiddenIpv6, "fe80::1%lo", "::ffff:127.0.0.1"]) {
      const found = [{ address, family: isIPv4(address) ? 4 : 6 }];
      const good = { address: "93.184.215.14", family: 4 };
      for (const all of [found, [good, ...found]]) {
        const options = { ...strict, lookup: async () => all };
        expect(await faultOf(`http://127.0.0.1.nip.example:${ports[0]}/`, options)).toBe("address_forbidden");
      }
    }
    for (const name of ["localhost", "LOCALHOST.", "LocalHost"]) {
      expect(await faultOf(`http://${name}:${ports[0]}/`)).toMatch(/address_forbidden|name_unknown/);
    }
    expect(connections).toBe(0);
  });

  it("is made for another scheme, with credentials, or to a port of another protocol", async () => {
    const [port] = ports;
    const bad: [string, string][] = [
      ...["gopher", "ftp", "ws", "wss", "redis", "dict", "ldap"].map((scheme): [string, string] => [
        `${scheme}://127.0.0.1:${port}/`,
        "url_scheme",
      ]),
      ["file:///etc/passwd", "url_invalid"],
      ["data:text/plain,x", "url_invalid"],
      ["javascript:alert(1)", "url_invalid"],
      ["//example.org/", "url_invalid"],
      ["", "url_invalid"],
      ["http://user@example.org/", "url_credentials"],
      ["http://:password@example.org/", "url_credentials"],
      [`http://example.org:80@127.0.0.1:${port}/`, "url_credentials"],
      ...[0, 21, 22, 25, 53, 110, 143, 445, 587, 993].map((number): [string, string] => [
        `http://example.org:${number}/`,
        "url_port",
      ]),
    ];
    for (const [url, fault] of bad) expect([url, await faultOf(url)]).toEqual([url, fault]);
    expect(await faultOf("http://example.org/", { ...strict, allowHttp: false })).toBe("url_scheme");
    expect(connections).toBe(0);
  });

  it("follows a redirect", async () => {
    for (const status of [301, 302, 303, 307, 308]) {
      const { url } = await startSink((_request, response) => {
        response.writeHead(status, { location: `http://127.0.0.1:${ports[0]}/` }).end();
      });
      expect(await faultOf(url, toSink)).toBe(status);
    }
    expect(connections).toBe(0);
  });

  it("goes to the second answer of a name server that changes its mind", async () => {
    const answers = [[{ address: "127.0.0.1", family: 4 }], [{ address: "::1", family: 6 }]];
    let asked = 0;
    const { port } = await startSink((_request, response) => response.writeHead(204).end());
    const lookup = async () => answers[asked++] ?? [];
    // Nobody but this function knows the name: the connection goes to its first answer.
    expect(await faultOf(`http://rebind.example:${port}/`, { ...toSink, lookup })).toBe(204);
    expect(asked).toBe(1);
    expect(connections).toBe(0);
  });
});

describe("a request that may be made", () => {
  it("reaches an allowed network: the sinks do count", async () => {
    const before = connections;
    expect(await faultOf(`http://127.0.0.1:${ports[0]}/`, toSink)).toBe("no_answer");
    expect(connections).toBe(before + 1);
    connections = before;
  });

  it("sends headers and body, and answers with the status alone", async () => {
    const seen: string[] = [];
    const { url } = await startSink(async (incoming, response) => {
      const body = await Array.fromAsync(incoming, String);
      seen.push(`${incoming.method} ${incoming.headers["x-test"]} ${body.join("")}`);
      response.writeHead(503, { "retry-after": "7" }).end("secret");
    });
    const answer = await new Outbound(toSink).post(url, { ...request(), headers: { "x-test": "1" }, body: "äöü" });
    expect(answer).toEqual({ status: 503, retryAfterMs: 7000 });
    expect(seen).toEqual(["POST 1 äöü"]);
  });

  it("reads no more than 64 KiB of an answer", async () => {
    let sent = 0;
    let isOver = false;
    const { url } = await startSink((_request, response) => {
      response.writeHead(200);
      const chunk = Buffer.alloc(16_384);
      const more = () => {
        while (!isOver && response.write(chunk)) sent += chunk.length;
      };
      response.on("drain", more).on("close", () => {
        isOver = true;
      });
      more();
    });
    expect(await faultOf(url, toSink)).toBe(200);
    // What the systems' buffers hold comes on top.
    expect(sent).toBeLessThan(16 * 1024 * 1024);
  });

  it("ends when its time is over, before and within the answer", async () => {
    const silent = await startSink(() => {});
    expect(await faultOf(silent.url, { ...toSink, timeoutMs: 100 })).toBe("timeout");
    const slow = await startSink((_request, response) => response.writeHead(200).write("x"));
    expect(await faultOf(slow.url, { ...toSink, timeoutMs: 1500 })).toBe(200);
    const lookup = () => new Promise<never>(() => {});
    expect(await faultOf("http://slow.example/", { ...strict, lookup, timeoutMs: 100 })).toBe("timeout");
  });

  it("says nothing of the URL in an error", async () => {
    const url = `https://127.0.0.1:${ports[0]}/token-that-is-secret`;
    const error = await new Outbound(toSink).post(url, request()).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ fault: "no_answer", message: "no_answer" });
    expect(JSON.stringify(error, Object.getOwnPropertyNames(error))).not.toMatch(/token|127\.0/);
  });
});

describe("isPublicAddress", () => {
  it.each(["93.184.215.14", "1.1.1.1", "192.88.98.1", "2606:4700::1111", "2a00:1450:4001::200e"])(
    "takes %s",
    (address) => {
      expect(isPublicAddress(address)).toBe(true);
    },
  );

  it.each(["", "x", "1.2.3", "::ffff:1.1.1.1", "2606:4700::1111%eth0"])("takes %j for none", (address) => {
    expect(isPublicAddress(address)).toBe(false);
  });
});

it.each(["10.0.0.0", "10.0.0.0/33", "::/129", "x/8", "10.0.0.0/8/8", "/8", "10.0.0.0/-1"])(
  "%j is no network",
  (cidr) => {
    expect(() => networks([cidr])).toThrow(RangeError);
  },
);
