// @ts-check
/**
 * The palaver client protocol, v1, for browsers. No dependencies, no build step.
 *
 *     const client = new Palaver("wss://call.example/v1");
 *     client.on("peerJoined", (peer) => …);          // every event of the room, by its name on the wire
 *     client.on("state", ({ state, error }) => …);   // joined, reconnecting, closed
 *     await client.join({ room: "garden", token });
 *     await client.call("roomInfo", {});
 *     await client.leave();
 *
 * `peers` and `producers` mirror the room. After a lost socket the client resumes by itself: it gets the events that
 * it missed, or a new snapshot, which it turns into the same events, so that listeners have one path only. A node that
 * shuts down names others; the client goes there.
 */

import { ConnectionLost, PalaverError, RequestRefused } from "./palaver-errors.js";
import { Route } from "./palaver-route.js";

export { ConnectionLost, PalaverError, RequestRefused };

/** @typedef {{peer: string, identity: string, name?: string, attributes: Object<string, string>, role: string, suspended: boolean}} Peer */
/** @typedef {{id: string, peer: string, kind: "audio"|"video"|"data", source: string, label?: string, paused: boolean}} Producer */
/** @typedef {"idle"|"connecting"|"joined"|"reconnecting"|"closed"} State */
/** @typedef {{message: {method: string}, resolve: Function, reject: Function, timer: number}} Pending */

const SUBPROTOCOL = "palaver.v1";
const CALL_MS = 15_000;
const CONNECT_MS = 10_000;
/** Backoff between attempts: a random part of 0.5 s, 1 s, 2 s … 10 s. Full jitter spreads a restarted node's clients. */
const BACKOFF_MS = 500;
const BACKOFF_LIMIT_MS = 10_000;
/** How often the first attempt follows a node that names another: more is a circle. */
const MAX_SENT = 4;

/** Listeners by event name. A listener that throws is reported and does not disturb the others. */
export class Emitter {
  /** @type {Map<string, Set<Function>>} */ #listeners = new Map();

  /** @param {string} type @param {(detail: any) => void} listener @returns {() => void} ends it */
  on(type, listener) {
    const listeners = this.#listeners.get(type) ?? new Set();
    this.#listeners.set(type, listeners.add(listener));
    return () => void listeners.delete(listener);
  }

  /** @param {string} type @param {any} detail */
  emit(type, detail) {
    for (const listener of [...(this.#listeners.get(type) ?? [])]) {
      try {
        listener(detail);
      } catch (error) {
        console.error(`a listener of ${type} failed`, error);
      }
    }
  }
}

/** One participant's session in one room. It lives until `leave`, or until the node ends it. */
export class Palaver extends Emitter {
  /** @type {State} */ state = "idle";
  /** @type {{peer: string, identity: string, role: string, grants: any} | null} */ you = null;
  /** @type {any} */ room = null;
  /** @type {Map<string, Peer>} everybody but you */ peers = new Map();
  /** @type {Map<string, Producer>} those of the others */ producers = new Map();
  /** @type {RTCIceServer[]} */ iceServers = [];
  /** Round trip of the last heartbeat. @type {number | null} */ rttMs = null;

  /** @type {WebSocket | null} */ #socket = null;
  /** @type {Map<number, Pending>} */ #pending = new Map();
  #nextId = 1;
  #seq = 0;
  /** @type {string | null} */ #ticket = null;
  #ticketFrom = "";
  /** @type {Set<string>} the ids of your own producers */ #own = new Set();
  /** @type {Route} */ #route;
  /** @type {any} */ #request = null;
  /** @type {number | undefined} */ #heartbeat;
  #heardAt = 0;
  /** @type {{reject: (error: Error) => void, timer: number} | null} */ #opening = null;
  #wake = () => {};

  /** @param {string} url the gateway, `ws://…/v1` */
  constructor(url) {
    super();
    this.#route = new Route(url);
    globalThis.addEventListener?.("online", () => this.#wake());
  }

  /** Where it is connected: the address it was made with, or that of a node which it was sent to. */
  get url() {
    return this.#route.current;
  }

  /**
   * Connects and joins; may be called once. Rejects with RequestRefused or ConnectionLost if the first attempt fails.
   * @param {{room: string, token: string | (() => Promise<string>), name?: string,
   *   attributes?: Object<string, string>}} request a function is asked for a token at each attempt
   */
  async join(request) {
    if (this.state !== "idle") throw new PalaverError("join may be called once", "wrong_state");
    this.#request = request;
    this.#become("connecting");
    try {
      await this.#enter();
    } catch (error) {
      this.#end(error);
      throw error;
    }
  }

  /**
   * Sends a request and resolves with its result. While the client reconnects the request waits; after a resume it is
   * sent again, which is safe, for the protocol's verbs are idempotent (give creators an `id` of your own).
   * @param {string} method @param {Object} [params] @param {{timeoutMs?: number}} [options] @returns {Promise<any>}
   */
  call(method, params = {}, { timeoutMs = CALL_MS } = {}) {
    if (this.state === "closed" || this.state === "idle")
      return Promise.reject(new PalaverError(`${method}: not in a room`, "wrong_state"));
    return this.#call(method, params, timeoutMs, this.state === "joined", (result) => {
      // No event says which producers you have made and closed yourself.
      if (method === "createProducer") this.#own.add(result.id);
      else if (method === "closeProducer") this.#own.delete(params.id);
      return result;
    });
  }

  /** Leaves the room and closes. Never rejects. */
  async leave() {
    if (this.state === "joined") await this.call("leave", {}, { timeoutMs: 2000 }).catch(() => {});
    this.#end(new ConnectionLost(1000, "you left"));
  }

  // ---- calls

  #call(method, params, timeoutMs, send, onResult = (/** @type {any} */ result) => result) {
    const id = this.#nextId++;
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#pending.delete(id);
        reject(new PalaverError(`${method}: no answer in ${timeoutMs / 1000} s`, "timeout"));
      }, timeoutMs);
      const message = { jsonrpc: "2.0", id, method, params };
      // onResult runs before the next message of the socket is looked at: an event may follow in the same batch.
      this.#pending.set(id, { message, timer, reject, resolve: (result) => resolve(onResult(result)) });
      if (send) this.#send(message);
    });
  }

  #send(message) {
    if (this.#socket?.readyState === WebSocket.OPEN) this.#socket.send(JSON.stringify(message));
  }

  /** Rejects these requests. @param {PalaverError} error */
  #drop(error, which = (/** @type {string} */ _method) => true) {
    for (const [id, { message, reject, timer }] of [...this.#pending]) {
      if (!which(message.method)) continue;
      this.#pending.delete(id);
      clearTimeout(timer);
      reject(error);
    }
  }

  // ---- the socket

  /** The first attempt, which follows nodes that name the one to go to: the owner of the room, say. */
  async #enter() {
    for (let sent = 0; ; sent++) {
      try {
        return await this.#attempt();
      } catch (error) {
        if (sent >= MAX_SENT || !this.#route.sent(error)) throw error;
        this.#route.next();
      }
    }
  }

  async #attempt() {
    await this.#open();
    const { token, ...request } = this.#request;
    const ticket = this.#ticket;
    const params = { ...request, token: typeof token === "function" ? await token() : token };
    const join = (/** @type {Object} */ params) =>
      this.#socket ? this.#call("join", params, CALL_MS, true, (reply) => this.#joined(reply)) : Promise.reject(new ConnectionLost(1006));
    if (ticket) {
      const resume = { ticket, lastSeq: this.#seq };
      try {
        return await join({ ...params, resume, producers: undefined, offer: undefined }); // these are there
      } catch (error) {
        if (!(error instanceof RequestRefused) || error.retry !== "never") throw error;
        // Another node may not know it, which says nothing about the one that gave it.
        if (this.url === this.#ticketFrom) this.#ticket = null; // used, or too late
      }
    }
    return join(params);
  }

  /** @returns {Promise<void>} */
  #open() {
    return new Promise((resolve, reject) => {
      const socket = new WebSocket(this.url, [SUBPROTOCOL]);
      const timer = setTimeout(() => this.#lost(socket, 1006, "the server does not answer"), CONNECT_MS);
      this.#socket = socket;
      this.#opening = { reject, timer };
      socket.onopen = () => {
        clearTimeout(timer);
        this.#opening = null;
        resolve();
      };
      socket.onmessage = ({ data }) => this.#message(socket, data);
      socket.onclose = ({ code, reason }) => this.#lost(socket, code, reason);
    });
  }

  /** Ends this socket for good, whether or not the other side knows. @param {WebSocket} socket @param {number} code */
  #lost(socket, code, text = "") {
    if (socket !== this.#socket) return;
    this.#socket = null;
    clearInterval(this.#heartbeat);
    socket.close(code >= 4000 ? code : 1000);
    const error = new ConnectionLost(code, text);
    if (this.#opening) {
      clearTimeout(this.#opening.timer);
      this.#opening.reject(error);
      this.#opening = null;
    }
    this.#drop(error, (method) => method === "join" || method === "heartbeat"); // a resume sends the others again
    if (this.state !== "joined") return; // an attempt is under way, and has the error
    if (error.final) this.#end(error);
    else void this.#reconnect(error);
  }

  /** @param {PalaverError} cause */
  async #reconnect(cause) {
    this.#route.lost(/** @type {ConnectionLost} */ (cause));
    for (let attempt = 0; ; attempt++) {
      const waitMs = Math.random() * Math.min(BACKOFF_LIMIT_MS, BACKOFF_MS * 2 ** attempt);
      this.#become("reconnecting", { attempt, waitMs, error: cause, url: this.#route.next() });
      const afterMs = cause instanceof RequestRefused ? cause.data.afterMs ?? 0 : 0;
      await new Promise((resolve) => {
        this.#wake = () => resolve(undefined);
        setTimeout(resolve, waitMs + afterMs);
      });
      if (this.state !== "reconnecting") return;
      try {
        return await this.#attempt();
      } catch (error) {
        cause = error;
        this.#route.sent(error);
        if (/** @type {any} */ (this).state === "closed") return;
        if (error.final || (error.retry === "never" && !this.#route.refused())) return this.#end(error);
        const socket = this.#socket;
        if (socket) this.#lost(socket, 1000);
      }
    }
  }

  /** @param {PalaverError} error */
  #end(error) {
    if (this.state === "closed") return;
    this.#become("closed", { error });
    this.#wake();
    clearInterval(this.#heartbeat);
    const socket = this.#socket;
    this.#socket = null;
    socket?.close(1000);
    this.#drop(error);
  }

  #become(state, detail = {}) {
    this.state = state;
    this.emit("state", { state, ...detail });
  }

  // ---- messages

  /** @param {WebSocket} socket @param {string} data */
  #message(socket, data) {
    if (socket !== this.#socket) return;
    this.#heardAt = performance.now();
    const parsed = JSON.parse(data);
    for (const message of Array.isArray(parsed) ? parsed : [parsed]) {
      if (message.method !== undefined) this.#event(message.method, message.params ?? {});
      else this.#reply(message);
    }
  }

  #reply({ id, result, error }) {
    const pending = this.#pending.get(id);
    if (!pending) return; // timed out
    this.#pending.delete(id);
    clearTimeout(pending.timer);
    if (error) pending.reject(new RequestRefused(pending.message.method, error));
    else pending.resolve(result);
  }

  /** @param {string} type @param {any} params */
  #event(type, params, replayed = false) {
    if (params.seq !== undefined) {
      const gap = !replayed && (params.prev !== this.#seq || params.epoch !== this.room?.epoch);
      if (gap) return this.#socket && this.#lost(this.#socket, 4010, "an event is missing");
      this.#seq = params.seq;
    }
    if (type === "peerLeft")
      for (const { id, peer } of [...this.producers.values()])
        if (peer === params.peer) this.#event("producerClosed", { id, peer });
    this.#mirror(type, params);
    this.emit(type, params);
  }

  /** Keeps `peers`, `producers`, `room` and `you` as the room is. @param {string} type @param {any} params */
  #mirror(type, { epoch: _epoch, seq: _seq, prev: _prev, ...params }) {
    const peer = this.peers.get(params.peer);
    const producer = this.producers.get(params.id);
    if (type === "peerJoined" && params.peer !== this.you?.peer)
      this.peers.set(params.peer, { attributes: {}, suspended: false, ...params });
    else if (type === "peerLeft") this.peers.delete(params.peer);
    else if (type === "peerSuspended" && peer) peer.suspended = true;
    else if (type === "peerResumed" && peer) peer.suspended = false;
    else if (type === "peerRole" && peer) peer.role = params.role;
    else if (type === "producerAdded" && params.peer !== this.you?.peer)
      this.producers.set(params.id, { paused: false, ...params });
    else if (type === "producerClosed") (this.producers.delete(params.id), this.#own.delete(params.id));
    else if (type === "producerPaused" && producer) producer.paused = params.paused ?? true;
    else if (type === "producerResumed" && producer) producer.paused = false;
    else if (type === "roomLocked") this.room.locked = params.mode ?? true;
    else if (type === "roomUnlocked") this.room.locked = false;
    else if (type === "youRole" && this.you) Object.assign(this.you, { role: params.role, grants: params.grants });
    else if (type === "youToken" && params.token && typeof this.#request.token === "string")
      this.#request.token = params.token;
  }

  /** Takes the join reply. @param {any} reply */
  #joined(reply) {
    [this.#ticket, this.#ticketFrom] = [reply.session.ticket, this.url];
    this.iceServers = reply.iceServers ?? [];
    const again = this.you !== null;
    const resumed = again && reply.resumed;
    const waiting = [...this.#pending.values()];
    if (!resumed && again) this.#drop(new PalaverError("the session was lost", "rejoined"));
    this.state = "joined"; // before the events, for their listeners may call
    if (resumed && Array.isArray(reply.missed)) {
      this.room = reply.room ?? this.room;
      for (const { method, params } of reply.missed) this.#event(method, params, true);
    } else this.#snapshot(reply, !resumed);
    this.#seq = reply.seq;
    if (resumed) for (const { message } of waiting) this.#send(message);
    this.#beat(reply.session.pingMs);
    this.emit("state", { state: "joined", resumed: Boolean(resumed) });
    return reply;
  }

  /** Replaces the mirror, then tells by events what became different. @param {any} reply @param {boolean} fresh */
  #snapshot(reply, fresh) {
    const peers = new Map(reply.peers.map((peer) => [peer.peer, { attributes: {}, suspended: false, ...peer }]));
    const producers = new Map(
      reply.producers.filter(({ peer }) => peer !== reply.you.peer).map((one) => [one.id, { ...one }]),
    );
    const [oldPeers, oldProducers, oldOwn] = [this.peers, this.producers, this.#own];
    Object.assign(this, { you: reply.you, room: reply.room, peers, producers });
    this.#own = new Set((reply.you.producers ?? []).map(({ id }) => id));
    /** `fresh`: a new session, so that everything that you had made in the room is gone. */
    this.emit("snapshot", { fresh });
    if (!fresh && reply.you.producers)
      for (const id of oldOwn)
        if (!this.#own.has(id)) this.emit("producerClosed", { id, peer: reply.you.peer, reason: "missed" });
    for (const [id, { peer }] of oldProducers) if (!producers.has(id)) this.emit("producerClosed", { id, peer });
    for (const peer of oldPeers.keys()) if (!peers.has(peer)) this.emit("peerLeft", { peer, reason: "timeout" });
    for (const [id, peer] of peers) {
      if (!oldPeers.has(id)) this.emit("peerJoined", peer);
      if (peer.suspended !== (oldPeers.get(id)?.suspended ?? false))
        this.emit(peer.suspended ? "peerSuspended" : "peerResumed", { peer: id });
    }
    for (const [id, producer] of producers) {
      const old = oldProducers.get(id);
      if (!old) this.emit("producerAdded", producer);
      else if (old.paused !== producer.paused)
        this.emit(producer.paused ? "producerPaused" : "producerResumed", { ...producer });
    }
  }

  /** @param {number} pingMs */
  #beat(pingMs) {
    clearInterval(this.#heartbeat);
    this.#heardAt = performance.now();
    this.#heartbeat = setInterval(() => {
      const socket = this.#socket;
      if (socket && performance.now() - this.#heardAt > 2.5 * pingMs)
        return this.#lost(socket, 4003, "the server is silent");
      const t = Date.now();
      this.call("heartbeat", { t, rttMs: this.rttMs ?? undefined, seqSeen: this.#seq }).then(
        () => (this.rttMs = Date.now() - t),
        () => {},
      );
    }, pingMs);
  }
}
