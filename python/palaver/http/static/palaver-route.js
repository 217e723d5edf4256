// @ts-check
/** The addresses at which a session may go on, in the order in which they are tried. */

/**
 * The addresses in the reason of a close with 4001, best first. Without those that are not encrypted where `home` is: a
 * token is not shown in the clear because a node says so.
 * @param {string} reason @param {string} home @returns {string[]}
 */
export function alternatives(reason, home) {
  const allowed = home.startsWith("wss:") ? /^wss:\/\// : /^wss?:\/\//;
  return reason.split(" ").filter((word) => allowed.test(word));
}

/**
 * Begins at `home`. After a loss call `lost`, then `next` before each attempt.
 *
 * A node that shuts down names others: these come first, then home, then the node itself. After any other loss it is the
 * node that has the session, then home. Whoever goes through all begins again.
 */
export class Route {
  /** @type {string[]} */ #candidates;
  #turn = 0;

  /** @param {string} home */
  constructor(home) {
    this.home = this.current = home;
    this.#candidates = [home];
  }

  /** @param {{code?: number, message: string}} error */
  lost({ code, message }) {
    const told = code === 4001 ? alternatives(message, this.home) : [];
    this.#candidates = [...new Set(told.length ? [...told, this.home, this.current] : [this.current, this.home])];
    this.#turn = 0;
  }

  /**
   * Like `lost`, for a node that names others before it has us; false, and nothing done, where it names none.
   * @param {{code?: number, message: string}} error
   */
  sent(error) {
    if (error.code !== 4001 || !alternatives(error.message, this.home).length) return false;
    this.lost(error);
    return true;
  }

  /** Moves on to the address of the next attempt and returns it. */
  next() {
    this.current = this.#candidates[this.#turn++ % this.#candidates.length];
    return this.current;
  }

  /** The current address will never have us. Returns whether another is left to try. */
  refused() {
    const place = this.#candidates.indexOf(this.current);
    if (place < 0 || this.#candidates.length === 1) return false;
    this.#candidates.splice(place, 1);
    this.#turn = place;
    return true;
  }
}
