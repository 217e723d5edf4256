// @ts-check
/** What the browser client throws. */

/** Close code → stable reason. */
const CLOSE_REASONS = Object.freeze({
  1002: "protocol_error", 1003: "protocol_error", 1007: "protocol_error", 1009: "too_large",
  4001: "shutdown", 4002: "slow_consumer", 4003: "no_pong", 4005: "token_expired", 4010: "state_gap",
  4013: "rate_limited", 4501: "token_invalid", 4502: "kicked", 4503: "banned", 4504: "replaced",
  4505: "protocol_error", 4506: "room_closed",
});

/** The root of all errors thrown here. `reason` is stable and meant for programs; `message` for people. */
export class PalaverError extends Error {
  /** @param {string} message @param {string} reason */
  constructor(message, reason) {
    super(message);
    this.name = new.target.name;
    this.reason = reason;
  }
}

/** The node answered a request with an error. */
export class RequestRefused extends PalaverError {
  /** @param {string} method @param {{code: number, message: string, data?: any}} error */
  constructor(method, error) {
    super(error.message, error.data?.reason ?? "internal");
    this.method = method;
    this.code = error.code;
    this.data = error.data ?? {};
    /** @type {"never"|"same"|"reconnect"|"elsewhere"} */
    this.retry = this.data.retry ?? "never";
  }
}

/** The socket is closed. `final` says that coming back with the same token makes no sense. */
export class ConnectionLost extends PalaverError {
  /** @param {number} code @param {string} [text] */
  constructor(code, text = "") {
    super(text || `the connection closed (${code})`, CLOSE_REASONS[code] ?? (code === 1000 ? "closed" : "unreachable"));
    this.code = code;
    this.final = (code >= 4500 && code <= 4999) || [1000, 1002, 1003, 1007, 1009].includes(code);
  }
}
