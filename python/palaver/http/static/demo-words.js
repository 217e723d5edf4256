// @ts-check
/** What the page says in words: reasons of the protocol, and those of the browser. */

const ASK = "Ask for a new join link.";

/** @type {Object<string, string>} reason → sentence */
const REASONS = {
  banned: "You are banned from this room.",
  conflict: "Somebody with this identity is in the room already.",
  forbidden: "This token does not allow that.",
  internal: "The server had a problem of its own. Try again in a moment.",
  kicked: "A moderator removed you from the room.",
  limit: "You have reached a limit of this server.",
  media_unavailable: "The media node cannot take this call now. Try again in a moment.",
  node_draining: "This server is about to restart. Try again in a moment.",
  not_found: "This room does not exist, or the token does not open it.",
  protocol_error: "The server and this page do not understand each other. Reload the page.",
  rate_limited: "That was too fast for the server. Wait a moment.",
  replaced: "You joined again from another window, so this one was closed.",
  room_closed: "The room was closed.",
  room_full: "The room is full.",
  room_locked: "The room is locked. Ask somebody inside to open it.",
  shutdown: "The server is restarting.",
  timeout: "The server does not answer.",
  token_expired: `This token has expired. ${ASK}`,
  token_invalid: `This token is not valid. ${ASK}`,
  token_revoked: `This token has been withdrawn. ${ASK}`,
  unauthenticated: `This token is not valid. ${ASK}`,
  unavailable: "The server is too busy just now. Try again in a moment.",
  unreachable: "The server cannot be reached. Is it running?",
};

/** Reasons that leave open what exactly is wrong: there the server's own words follow. */
const OPEN = ["forbidden", "limit", "token_invalid"];

/** @param {any} error @returns {string} */
export function explain(error) {
  const sentence = REASONS[error?.reason];
  if (!sentence) return `Something went wrong: ${error?.message ?? error}`;
  return error.data && OPEN.includes(error.reason) ? `${sentence} (${error.message})` : sentence;
}

/** @param {any} error of getUserMedia @param {string} what */
export function explainDevice(error, what) {
  switch (error?.name) {
    case "NotAllowedError":
      return `The browser does not allow ${what}. You can still see and hear the others.`;
    case "NotFoundError":
    case "OverconstrainedError":
      return `No ${what} was found. You can still see and hear the others.`;
    case "NotReadableError":
      return `Another program is using ${what}. You can still see and hear the others.`;
    default:
      return `${what[0].toUpperCase()}${what.slice(1)} cannot be used here (pages need https or localhost). You can still see and hear the others.`;
  }
}
