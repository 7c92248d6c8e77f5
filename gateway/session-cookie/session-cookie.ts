import type { DescMethod, Message } from "@bufbuild/protobuf";
import { parseCookie, stringifySetCookie } from "cookie";
import { AuthService } from "#gen/auth/v1/auth_service_pb.js";
import { ErrorReason } from "#gen/mesh/v1/error_reason_pb.js";
import { Code, invalidArgument, ServiceError } from "#kit/errors.ts";
import type { EdgeCall } from "../edge-call.ts";
import { isOfOrigin, isTls, type OriginRules } from "./origin.ts";

export interface SessionCookieOptions extends OriginRules {
  /** How long a refresh token is good, in seconds. */
  lifetime: number;
}

/** What a call does to the session of a browser. */
type Part = "opens" | "trades" | "ends";

const parts = new Map<DescMethod, Part>([
  [AuthService.method.register, "opens"],
  [AuthService.method.login, "opens"],
  [AuthService.method.refreshToken, "trades"],
  [AuthService.method.logout, "ends"],
]);

type WithToken = Message & { refreshToken?: string };

/**
 * Keeps the refresh token of a browser out of the reach of scripts. A call that says `x-session: cookie` gets it in a
 * cookie in place of the answer, and trades it from there. The cookie authorises nothing else; without the header it
 * is neither read nor set.
 */
export class SessionCookies {
  readonly #options: SessionCookieOptions;

  constructor(options: SessionCookieOptions) {
    this.#options = options;
  }

  /**
   * Fills the refresh token of the request from the cookie, and takes that of the answer into one. Throws
   * PERMISSION_DENIED for pages of other origins, INVALID_ARGUMENT for another value of `x-session`.
   */
  async around<T extends { message: Message }>(
    call: EdgeCall,
    method: DescMethod,
    request: Message,
    send: () => Promise<T>,
  ): Promise<T> {
    const part = parts.get(method);
    const wish = call.headers["x-session"];
    if (part === undefined || wish === undefined) return send();
    if (wish !== "cookie") throw invalidArgument("x_session", 'must be "cookie" when it is given');
    if (!isOfOrigin(call.headers, this.#options)) throw foreign();
    const isFromCookie = part === "trades" && this.#fill(call, request as WithToken);
    try {
      const answer = await send();
      if (part === "ends") this.#clear(call);
      else this.#take(call, answer.message as WithToken);
      return answer;
    } catch (error) {
      if (isFromCookie && isSpent(error)) this.#clear(call);
      throw error;
    }
  }

  #fill({ headers }: EdgeCall, request: WithToken): boolean {
    if (request.refreshToken !== "" || headers.cookie === undefined) return false;
    request.refreshToken = parseCookie(headers.cookie)[this.#name(headers)] ?? "";
    return true;
  }

  #take(call: EdgeCall, answer: WithToken): void {
    const { refreshToken = "" } = answer;
    answer.refreshToken = "";
    if (refreshToken !== "") this.#set(call, refreshToken, this.#options.lifetime);
  }

  #clear(call: EdgeCall): void {
    this.#set(call, "", 0);
  }

  #set({ headers, answerHeader }: EdgeCall, value: string, maxAge: number): void {
    const secure = isTls(headers, this.#options);
    const rules = { httpOnly: true, secure, sameSite: "strict", path: "/", maxAge } as const;
    answerHeader("set-cookie", stringifySetCookie({ name: this.#name(headers), value, ...rules }));
  }

  /** The prefix (RFC 6265bis) keeps other hosts of the domain from planting one; browsers take it over TLS only. */
  #name(headers: EdgeCall["headers"]): string {
    return isTls(headers, this.#options) ? "__Host-taskmesh-refresh" : "taskmesh-refresh";
  }
}

function isSpent(error: unknown): boolean {
  return error instanceof ServiceError && error.code === Code.UNAUTHENTICATED;
}

function foreign(): ServiceError {
  const message = "a session in a cookie is for pages of this origin, or of one that is allowed";
  return new ServiceError({ reason: ErrorReason.PERMISSION_DENIED, message });
}
