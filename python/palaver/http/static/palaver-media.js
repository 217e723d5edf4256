// @ts-check
/**
 * The two kinds of call over a joined Palaver client. Both have the same face:
 *
 *     const call = new MediaNodeCall(client);        // or new PeerToPeerCall(client)
 *     call.on("track", ({ peer, source, producer, track }) => …);
 *     call.on("trackEnded", ({ peer, source, producer }) => …);
 *     call.on("connection", ({ peer, state }) => …); // peer is null where all media takes one path
 *     call.on("unpublished", ({ source }) => …);     // a moderator ended it
 *     call.on("problem", ({ error }) => …);
 *     call.start();                                  // before or after client.join
 *     await call.publish({ microphone: audioTrack, camera: videoTrack });   // either may be missing, or come later
 *     await call.setMuted("camera", true);
 *     call.close();
 *
 * MediaNodeCall sends once to the media node and gets everybody from it: one connection to send, one to receive.
 * PeerToPeerCall has one connection for each other participant, and is for few.
 */

import { Call, Transport, newId, retryMs } from "./palaver-call.js";
import { RequestRefused } from "./palaver.js";

/** @typedef {import("./palaver.js").Producer} Producer */
/** @typedef {import("./palaver-call.js").Source} Source */
/** @typedef {import("./palaver-call.js").Tracks} Tracks */

/** Marks the producers of a peer-to-peer call, which no media node has frames of. */
const P2P = "p2p";

export class MediaNodeCall extends Call {
  /** Grows with each new start; work of an older round stops at its next step. */ #round = 0;
  #failures = 0;
  /** @type {Transport | null} */ #send = null;
  /** @type {Transport | null} */ #recv = null;
  /** @type {Map<string, {id: string, producer: Producer, live: boolean}>} by producer */ #consumers = new Map();
  #consuming = false;
  #publishing = Promise.resolve();

  start() {
    this.listen({
      snapshot: ({ fresh }) => fresh && this.#restart(true),
      producerAdded: () => this.#consume(),
      producerClosed: ({ id }) => (this.#drop(id), this.closedByOther(id)),
      consumerClosed: ({ producer }) => this.#drop(producer),
    });
    if (this.client.state === "joined") void this.#consume();
  }

  /** Sends these tracks too. Never rejects: what goes wrong is a `problem`.
   * @param {Tracks} tracks */
  publish(tracks) {
    this.take(tracks);
    const round = this.#round;
    return (this.#publishing = this.#publishing
      .then(() => this.#produce(round))
      .catch((error) => this.#failed(error, round)));
  }

  mutedChanged() {
    const tracks = [...this.local.values()].map(({ track }) => track);
    for (const sender of this.#send?.pc.getSenders() ?? [])
      if (sender.track && !tracks.includes(sender.track)) void sender.replaceTrack(null).catch(() => {});
  }

  close() {
    super.close();
    this.#reset();
  }

  /** @param {number} round */
  async #produce(round) {
    const fresh = [...this.local.values()].filter(({ producer }) => !producer);
    if (fresh.length === 0 || round !== this.#round || this.closed) return;
    const send = (this.#send ??= this.#transport("send"));
    const parts = fresh.map((local) => ({
      local, transceiver: send.pc.addTransceiver(local.track, { direction: "sendonly" }),
    }));
    const { sdp } = await send.offer({ direction: "send" });
    if (round !== this.#round) return;
    await send.accept({ type: "answer", sdp });
    for (const { local, transceiver } of parts) {
      if (round !== this.#round) return;
      try {
        await this.produce(local, { transport: send.name, mid: transceiver.mid });
      } catch (error) {
        if (!(error instanceof RequestRefused && error.retry === "never")) throw error;
        this.problem(error); // the others may be sent all the same
        this.mutedChanged();
      }
    }
  }

  /** @param {"send"|"recv"} direction */
  #transport(direction) {
    const transport = new Transport(this.client, this.#round ? `${direction}.${this.#round}` : direction);
    transport.pc.onconnectionstatechange = () => {
      const states = [this.#send, this.#recv].flatMap((one) => (one ? [one.pc.connectionState] : []));
      const worst = ["failed", "disconnected", "new", "connecting", "connected"].find((state) =>
        states.includes(/** @type {any} */ (state)));
      this.emit("connection", { peer: null, state: worst });
      if (worst === "connected") this.#failures = 0;
      if (worst === "failed") this.#restartLater();
    };
    return transport;
  }

  /** @param {any} error @param {number} round */
  #failed(error, round) {
    if (round !== this.#round) return;
    this.problem(error);
    if (error.retry !== "never") this.#restartLater();
  }

  #restartLater() {
    const round = this.#round;
    setTimeout(() => round === this.#round && this.#restart(false), retryMs(this.#failures++));
  }

  /** Makes everything anew; a session that is still the same is told to forget the old. @param {boolean} fresh */
  #restart(fresh) {
    if (this.closed || this.client.state === "closed") return;
    if (!fresh) {
      const tell = (/** @type {string} */ verb, /** @type {string} */ id) => this.client.call(verb, { id }).catch(() => {});
      for (const { producer } of this.local.values()) if (producer) void tell("closeProducer", producer);
      for (const { id, live } of this.#consumers.values()) if (live) void tell("closeConsumer", id);
    }
    if (this.#send || this.#recv) this.#reset();
    void this.#consume();
    void this.publish({});
  }

  #reset() {
    this.#round++;
    this.#consuming = false;
    for (const producer of [...this.#consumers.keys()]) this.#drop(producer);
    this.#send?.close();
    this.#recv?.close();
    this.#send = this.#recv = null;
    for (const local of this.local.values()) local.producer = "";
  }

  /** Subscribes to every producer that it does not have yet; one run at a time, until there is none. */
  async #consume() {
    if (this.#consuming || this.closed) return;
    this.#consuming = true;
    const round = this.#round;
    try {
      for (let wanted = this.#wanted(); wanted.length > 0; wanted = this.#wanted()) {
        await this.#subscribe(wanted, round);
        if (round !== this.#round) return;
      }
    } catch (error) {
      this.#failed(error, round);
    }
    if (round === this.#round) this.#consuming = false;
  }

  #wanted() {
    return [...this.client.producers.values()].filter(
      ({ id, kind, label }) => kind !== "data" && label !== P2P && !this.#consumers.has(id));
  }

  /** @param {Producer[]} wanted @param {number} round */
  async #subscribe(wanted, round) {
    const recv = (this.#recv ??= this.#transport("recv"));
    const items = wanted.map((producer) => ({ id: newId(), producer: producer.id, transport: recv.name }));
    wanted.forEach((producer, n) => this.#consumers.set(producer.id, { id: items[n].id, producer, live: false }));
    const reply = await this.client.call("createConsumer", { items });
    if (round !== this.#round) return;
    /** @type {Map<string, string>} consumer → mid */ const mids = new Map();
    let sections = 0;
    for (const one of reply.items) {
      // A refused one was closed in the meantime, or may not be seen: its producerClosed forgets it.
      if (one.error) continue;
      if (one.mid != null) mids.set(one.id, one.mid);
      else {
        recv.pc.addTransceiver(one.kind, { direction: "recvonly" });
        sections++;
      }
    }
    if (sections > 0) {
      const { sdp, consumers } = await recv.offer({ direction: "recv" });
      if (round !== this.#round) return;
      await recv.accept({ type: "answer", sdp });
      for (const [id, mid] of Object.entries(consumers ?? {})) mids.set(id, mid);
    }
    const ids = [];
    for (const { producer } of items) {
      const consumer = this.#consumers.get(producer);
      const mid = consumer && mids.get(consumer.id);
      const transceiver = recv.pc.getTransceivers().find((one) => one.mid !== null && one.mid === mid);
      if (!consumer || !transceiver) continue; // closed in the meantime
      consumer.live = true;
      ids.push(consumer.id);
      const { peer, source, kind } = consumer.producer;
      this.emit("track", { peer, source, kind, producer, track: transceiver.receiver.track });
    }
    if (ids.length > 0) await this.client.call("resumeConsumer", { ids });
  }

  /** @param {string} id of a producer */
  #drop(id) {
    const consumer = this.#consumers.get(id);
    this.#consumers.delete(id);
    if (!consumer?.live) return;
    const { peer, source, kind } = consumer.producer;
    this.emit("trackEnded", { peer, source, kind, producer: id });
  }
}

/** @typedef {Transport & {offerer: boolean, failures: number, tracks: Source[], chain: Promise<any>}} Link */

export class PeerToPeerCall extends Call {
  /** @type {Map<string, Link>} */ #links = new Map();

  start() {
    this.listen({
      snapshot: ({ fresh }) => this.#begin(fresh),
      peerLeft: ({ peer }) => this.#unlink(peer),
      producerClosed: ({ id }) => this.closedByOther(id),
      transportOffer: (offer) => this.#inTurn(offer.from, offer.transport, (link) => this.#answer(link, offer)),
      transportAnswer: (answer) => this.#inTurn(answer.from, answer.transport, async (link) => {
        if (answer.generation === link.generation && link.pc.signalingState === "have-local-offer")
          await link.accept({ type: "answer", sdp: answer.sdp });
      }),
      transportIce: (ice) => this.#inTurn(ice.from, ice.transport, async (link) => {
        if (ice.generation >= link.generation) await link.addCandidates(ice.candidates ?? []);
      }),
    });
    if (this.client.state === "joined") this.#begin(true);
  }

  /** Sends these tracks too. Never rejects: what goes wrong is a `problem`.
   * @param {Tracks} tracks */
  async publish(tracks) {
    this.take(tracks);
    for (const local of [...this.local.values()]) {
      if (local.producer) continue;
      try {
        await this.produce(local, { transport: P2P, label: P2P });
      } catch (error) {
        this.problem(error);
      }
    }
    for (const link of this.#links.values()) this.#attach(link);
  }

  close() {
    super.close();
    for (const peer of [...this.#links.keys()]) this.#unlink(peer);
  }

  /** Whoever joins later offers to those whom it found; after a gap in the events, to those it has no connection with.
   * @param {boolean} fresh */
  #begin(fresh) {
    if (fresh) {
      for (const peer of [...this.#links.keys()]) this.#unlink(peer);
      for (const local of this.local.values()) local.producer = "";
    }
    for (const peer of this.client.peers.keys()) {
      const link = this.#links.get(peer) ?? this.#link(peer, true);
      if (link.pc.connectionState !== "connected") void this.#inTurn(peer, P2P, () => this.#offer(peer, link));
    }
    if (fresh) void this.publish({});
  }

  /** One step of a link at a time, in the order of the events.
   * @param {string} peer @param {string} transport @param {(link: Link) => Promise<void>} step */
  #inTurn(peer, transport, step) {
    if (transport !== P2P || !this.client.peers.has(peer)) return undefined;
    const link = this.#links.get(peer) ?? this.#link(peer, false);
    return (link.chain = link.chain.then(() => step(link)).catch((error) => {
      if (link.pc.signalingState !== "closed") this.problem(error);
    }));
  }

  /** @param {string} peer @param {boolean} offerer */
  #link(peer, offerer) {
    const link = /** @type {Link} */ (new Transport(this.client, P2P, peer));
    Object.assign(link, { offerer, failures: 0, tracks: [], chain: Promise.resolve() });
    this.#links.set(peer, link);
    if (offerer) {
      // Both kinds from the start, so that no later change of a track needs a new offer.
      for (const kind of ["audio", "video"]) link.pc.addTransceiver(kind, { direction: "sendrecv" });
      this.#attach(link);
    }
    link.pc.ontrack = ({ track }) => {
      const source = track.kind === "audio" ? "microphone" : "camera";
      link.tracks.push(source);
      this.emit("track", { peer, source, kind: track.kind, producer: null, track });
    };
    link.pc.onconnectionstatechange = () => {
      const state = link.pc.connectionState;
      this.emit("connection", { peer, state });
      if (state === "connected") link.failures = 0;
      if (state === "failed" && link.offerer)
        setTimeout(() => this.#inTurn(peer, P2P, () => this.#offer(peer, link)), retryMs(link.failures++));
    };
    return link;
  }

  /** @param {string} peer */
  #unlink(peer) {
    const link = this.#links.get(peer);
    this.#links.delete(peer);
    link?.close();
    for (const source of link?.tracks ?? []) this.emit("trackEnded", { peer, source, producer: null });
  }

  /** Puts your tracks into the connection; one that is muted or not announced sends nothing. @param {Link} link */
  #attach(link) {
    for (const transceiver of link.pc.getTransceivers()) {
      transceiver.direction = "sendrecv";
      const local = [...this.local.values()].find(({ kind }) => kind === transceiver.receiver.track.kind);
      const track = local?.producer && !local.muted ? local.track : null;
      void transceiver.sender.replaceTrack(track).catch(() => {}); // closed in the meantime
    }
  }

  mutedChanged() {
    for (const link of this.#links.values()) this.#attach(link);
  }

  /** @param {string} peer @param {Link} link */
  async #offer(peer, link) {
    if (this.#links.get(peer) !== link || link.pc.signalingState !== "stable") return;
    try {
      link.offerer = true;
      await link.offer({ direction: P2P }, { iceRestart: link.generation > 0 });
    } catch (error) {
      // Glare: the other's offer wins, or is newer, and is on its way. Gone: its peerLeft is on its way.
      const reasons = ["conflict", "stale_generation", "not_found"];
      if (!(error instanceof RequestRefused && reasons.includes(error.reason))) throw error;
      link.offerer = false;
    }
  }

  /** @param {Link} link @param {{sdp: string, generation: number}} offer */
  async #answer(link, { sdp, generation }) {
    link.hold();
    await link.accept({ type: "offer", sdp }); // rolls back an offer of ours that lost
    link.generation = generation;
    link.offerer = false;
    this.#attach(link);
    await link.pc.setLocalDescription();
    const answer = this.client.call("sdpAnswer", { ...link.address, sdp: link.pc.localDescription?.sdp, generation });
    link.release();
    await answer;
  }
}
