import { readFileSync } from "node:fs";

type Source = Readonly<Record<string, string | undefined>>;

/** The text of a variable that was given under other names, and those names. */
export interface Given {
  text: string;
  from: string;
}

/** Names that others use for a variable, those that go first first; each is asked only while the ones before say nothing. */
const aliases: readonly {
  variable: RegExp;
  names: readonly string[];
  find: (source: Source, variable: string) => Given | undefined;
}[] = [
  { variable: /^[A-Z]+_DB_URL$/, names: ["DATABASE_URL"], find: (source) => same(source, "DATABASE_URL") },
  {
    variable: /^[A-Z]+_DB_URL$/,
    names: ["DATABASE_HOST", "DATABASE_PORT", "DATABASE_USERNAME", "DATABASE_PASSWORD", "DATABASE_NAME"],
    find: databaseParts,
  },
  { variable: /^[A-Z]+_DB_READ_URL$/, names: ["DATABASE_READ_HOST"], find: atHost("DATABASE_READ_HOST") },
  { variable: /^[A-Z]+_DB_POOLER_URL$/, names: ["DATABASE_POOLER_HOST"], find: atHost("DATABASE_POOLER_HOST") },
  {
    variable: /^DB_POOL_MAX$/,
    names: ["connection_limit in the database's URL"],
    find: (source) => parameter(source, "connection_limit"),
  },
  {
    variable: /^DB_POOL_ACQUIRE_TIMEOUT$/,
    names: ["pool_timeout in the database's URL"],
    find: (source) => parameter(source, "pool_timeout"),
  },
  { variable: /^REDIS_URL$/, names: ["REDIS_HOST", "REDIS_PORT", "REDIS_PASSWORD"], find: redisParts },
  { variable: /^AUTH_ACCESS_TOKEN_TTL$/, names: ["JWT_EXPIRES_IN"], find: tokenLifetime },
  { variable: /^(GRPC_PORT|GATEWAY_HTTP_PORT)$/, names: ["PORT"], find: (source) => same(source, "PORT") },
  { variable: /^GATEWAY_CORS_ORIGINS$/, names: ["FRONTEND_URL"], find: (source) => same(source, "FRONTEND_URL") },
];

/** The other names that a variable may be given under, in the order in which they count. */
export function aliasesOf(variable: string): string[] {
  return aliases.filter((alias) => alias.variable.test(variable)).flatMap(({ names }) => names);
}

/** What others' names say of a variable that is not set by its own. */
export function givenElsewhere(variable: string, source: Source): Given | undefined {
  for (const alias of aliases) {
    const given = alias.variable.test(variable) ? alias.find(source, variable) : undefined;
    if (given !== undefined) return given;
  }
  return undefined;
}

const unneeded: readonly { variable: RegExp; why: string }[] = [
  {
    variable: /^JWT_(ACCESS_|REFRESH_)?SECRET$/,
    why: "access tokens are signed by keys that auth makes and rotates itself",
  },
  {
    variable: /^(AUTH|USER|TASK|NOTIFICATION|SOS)_SERVICE_(HOST|PORT)$/,
    why: "services find each other by MESH_ADDRESS",
  },
];

/** One line for each variable that is set, understood, and not needed. */
export function unneededVariables(source: Source): string[] {
  return Object.keys(source)
    .sort()
    .flatMap((name) => {
      const why = source[name] && unneeded.find(({ variable }) => variable.test(name))?.why;
      return why ? [`${name} is not needed: ${why}`] : [];
    });
}

function same(source: Source, name: string): Given | undefined {
  const text = source[name];
  return text ? { text, from: name } : undefined;
}

function databaseParts(source: Source, variable: string): Given | undefined {
  const { DATABASE_HOST: host, DATABASE_PORT: port, DATABASE_NAME: name } = source;
  if (!host) return undefined;
  const user = encodeURIComponent(source.DATABASE_USERNAME || "postgres");
  const password = source.DATABASE_PASSWORD ? `:${encodeURIComponent(source.DATABASE_PASSWORD)}` : "";
  const database = encodeURIComponent(name || variable.replace(/_DB_URL$/, "").toLowerCase());
  return {
    text: `postgres://${user}${password}@${host}:${port || 5432}/${database}`,
    from: "DATABASE_HOST and those beside it",
  };
}

/** The service's own database at the host that a variable names: `replica` or `replica:5433`. */
function atHost(name: string) {
  return (source: Source, variable: string): Given | undefined => {
    const own = variable.replace(/_(READ|POOLER)_URL$/, "_URL");
    const host = source[name];
    const text = host && (source[own] || textIn(source[`${own}_FILE`]) || givenElsewhere(own, source)?.text);
    if (!text || !URL.canParse(text)) return undefined;
    const url = new URL(text);
    url.host = host;
    return { text: url.href, from: name };
  };
}

function textIn(file: string | undefined): string | undefined {
  try {
    return file && readFileSync(file, "utf8").trim();
  } catch {
    return undefined;
  }
}

function redisParts(source: Source): Given | undefined {
  const { REDIS_HOST: host, REDIS_PORT: port, REDIS_PASSWORD: password } = source;
  if (!host) return undefined;
  const user = password ? `:${encodeURIComponent(password)}@` : "";
  return { text: `redis://${user}${host}:${port || 6379}`, from: "REDIS_HOST and those beside it" };
}

/** A parameter of whichever URL of a database the process has; one that is not a URL is told of elsewhere. */
function parameter(source: Source, name: string): Given | undefined {
  const own = Object.keys(source).find((variable) => /^[A-Z]+_DB_URL$/.test(variable) && source[variable]);
  const url = source[own ?? "DATABASE_URL"];
  const text = url && URL.canParse(url) ? new URL(url).searchParams.get(name) : undefined;
  return text ? { text, from: `${name} in the database's URL` } : undefined;
}

const secondsOf: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3_600, d: 86_400 };

/** A time as libraries for tokens write it: 900, 900s, 15m, 1h. */
function tokenLifetime(source: Source): Given | undefined {
  const text = source.JWT_EXPIRES_IN;
  if (!text) return undefined;
  const [, count, unit = "s"] = /^(\d+) ?([smhd])?$/.exec(text.trim()) ?? [];
  const seconds = Number(count) * (secondsOf[unit] ?? Number.NaN);
  return { text: Number.isNaN(seconds) ? text : String(seconds), from: "JWT_EXPIRES_IN" };
}
