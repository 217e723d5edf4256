// @ts-check
/** What both kinds of call are made of: one connection with its offers and candidates, and your own tracks. */

import { Emitter, RequestRefused } from "./palaver.js";

/** @typedef {import("./palaver.js").Palaver} Palaver */
/** @typedef {"microphone"|"camera"} Source */
/** @typedef {{microphone?: MediaStreamTrack, camera?: MediaStreamTrack}} Tracks */
/** @typedef {{source: Source, kind: "audio"|"video", track: MediaStreamTrack, muted: boolean, producer: string}} Local */

/** The protocol takes 32 candidates in a message. */
const CANDIDATES = 32;
/** Candidates come in bursts: those of one moment go in one message. */
const BURST_MS = 20;

/** How long to wait before a failed connection is made anew: 1 s, 2 s, 4 s … 15 s. @param {number} attempt */
export const retryMs = (attempt) => Math.min(15_000, 1000 * 2 ** attempt);

/** An id for what you create, so that a request can be repeated. */
export const newId = () =>
  [...crypto.getRandomValues(new Uint8Array(12))].map((byte) => byte.toString(16).padStart(2, "0")).join("");

/** One RTCPeerConnection with its name, generation and candidates in both directions. */
export class Transport {
  generation = 0;
  /** @type {RTCIceCandidateInit[]} */ #local = [];
  /** @type {number | undefined} */ #timer;
  #held = true;
  #ended = false;
  /** @type {RTCIceCandidateInit[]} of the other side, before its description */ #remote = [];

  /** @param {Palaver} client @param {string} name @param {string} [to] the other peer, in a peer-to-peer call */
  constructor(client, name, to) {
    this.client = client;
    this.name = name;
    this.address = to ? { transport: name, to } : { transport: name };
    this.pc = new RTCPeerConnection({ iceServers: client.iceServers, bundlePolicy: "max-bundle" });
    this.pc.onicecandidate = ({ candidate }) => {
      if (candidate?.candidate) this.#local.push(candidate.toJSON());
      else if (!candidate) this.#ended = true;
      this.#timer ??= setTimeout(() => this.#flush(), BURST_MS);
    };
  }

  /** Makes the next offer and sends it. Rejects with RequestRefused, the connection as it was before.
   * @param {{direction: string}} params @param {RTCOfferOptions} [options] */
  async offer(params, options) {
    this.hold();
    await this.pc.setLocalDescription(await this.pc.createOffer(options));
    const generation = ++this.generation;
    const sdp = this.pc.localDescription?.sdp;
    const reply = this.client.call("sdpOffer", { ...this.address, ...params, sdp, generation });
    this.release();
    try {
      return await reply;
    } catch (error) {
      this.hold();
      if (this.pc.signalingState === "have-local-offer") await this.pc.setLocalDescription({ type: "rollback" });
      throw error;
    }
  }

  /** Keeps candidates back until `release`; those of now are in the next description, or of one that is given up. */
  hold() {
    this.#held = true;
    this.#local = [];
  }

  /** Lets the gathered candidates out: called when the description that they belong to has been sent. */
  release() {
    this.#held = false;
    this.#timer ??= setTimeout(() => this.#flush(), BURST_MS);
  }

  #flush() {
    this.#timer = undefined;
    if (this.#held || this.pc.signalingState === "closed") return;
    while (this.#local.length > 0 || this.#ended) {
      const candidates = this.#local.splice(0, CANDIDATES);
      const end = this.#ended && this.#local.length === 0;
      if (end) this.#ended = false;
      const params = { ...this.address, generation: this.generation, candidates, ...(end && { end }) };
      this.client.call("iceCandidate", params).catch(() => {}); // stale, or the session is gone
    }
  }

  /** @param {RTCSessionDescriptionInit} description */
  async accept(description) {
    await this.pc.setRemoteDescription(description);
    for (const candidate of this.#remote.splice(0)) await this.#add(candidate);
  }

  /** @param {(RTCIceCandidateInit | string)[]} candidates */
  async addCandidates(candidates) {
    for (const one of candidates) {
      const candidate = typeof one === "string" ? { candidate: one, sdpMLineIndex: 0 } : one;
      if (this.pc.remoteDescription) await this.#add(candidate);
      else this.#remote.push(candidate);
    }
  }

  /** @param {RTCIceCandidateInit} candidate */
  #add(candidate) {
    return this.pc.addIceCandidate(candidate).catch((error) => console.debug("candidate refused", error));
  }

  close() {
    clearTimeout(this.#timer);
    this.pc.onicecandidate = this.pc.onconnectionstatechange = this.pc.ontrack = null;
    this.pc.close();
  }
}

/** What both calls share: the local tracks, their producers, and the ear on the client. */
export class Call extends Emitter {
  /** @type {Map<Source, Local>} */ local = new Map();
  /** @type {(() => void)[]} */ #ears = [];
  closed = false;

  /** @param {Palaver} client */
  constructor(client) {
    super();
    this.client = client;
  }

  /** @param {Tracks} tracks */
  take(tracks) {
    for (const source of /** @type {Source[]} */ (["microphone", "camera"])) {
      const track = tracks[source];
      if (track)
        this.local.set(source, { source, kind: track.kind === "audio" ? "audio" : "video", track,
          muted: !track.enabled, producer: "" });
    }
  }

  /** @param {Object<string, (params: any) => void>} listeners */
  listen(listeners) {
    for (const [type, listener] of Object.entries(listeners)) this.#ears.push(this.client.on(type, listener));
  }

  /** Tells the room that this track is there. One that may not be shown is forgotten, and not sent. @param {Local} local @param {Object} params */
  async produce(local, params) {
    local.producer = newId();
    const { source, kind, muted: paused, producer: id } = local;
    try {
      await this.client.call("createProducer", { id, kind, source, paused, ...params });
    } catch (error) {
      if (local.producer === id) local.producer = "";
      if (error instanceof RequestRefused) this.local.delete(local.source);
      throw error;
    }
  }

  /** Mutes or opens your own track. Resolves with whether the others can see or hear it now.
   * @param {Source} source @param {boolean} muted @returns {Promise<boolean>} */
  async setMuted(source, muted) {
    const local = this.local.get(source);
    if (!local) return false;
    local.muted = muted;
    local.track.enabled = !muted;
    this.mutedChanged();
    if (!local.producer) return !muted;
    const { paused } = await this.client.call(muted ? "pauseProducer" : "resumeProducer", { id: local.producer });
    return !(paused.self || paused.moderator);
  }

  /** Makes what is sent fit `local`, for calls where the room's word is not enough. */
  mutedChanged() {}

  /** A moderator closed a producer of yours, or you lost the right to have it. @param {string} producer */
  closedByOther(producer) {
    const local = [...this.local.values()].find((one) => one.producer === producer);
    if (!local) return;
    this.local.delete(local.source);
    this.mutedChanged();
    this.emit("unpublished", { source: local.source });
  }

  /** @param {any} error */
  problem(error) {
    // After a lost session everything is made anew; its unfinished requests need no report.
    if (!this.closed && error?.reason !== "rejoined") this.emit("problem", { error });
  }

  /** Ends all connections. The local tracks stay with the caller. */
  close() {
    this.closed = true;
    for (const unlisten of this.#ears) unlisten();
  }
}
