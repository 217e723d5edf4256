// @ts-check
/** The demo page: a form to join, a grid of tiles, three buttons. Palaver's client modules do the rest. */

import { arrange, Tile } from "./demo-tile.js";
import { explain, explainDevice } from "./demo-words.js";
import { MediaNodeCall, PeerToPeerCall } from "./palaver-media.js";
import { Palaver } from "./palaver.js";

/** @typedef {import("./palaver-call.js").Source} Source */
/** @typedef {{client: Palaver, call: MediaNodeCall | PeerToPeerCall, mode: string, tiles: Map<string, Tile>,
 *   states: Map<string | null, string>, devices: Partial<Record<Source, MediaStreamTrack>>}} Visit */

/** @param {string} id @returns {any} */
const $ = (id) => document.getElementById(id);
const SOURCES = /** @type {Source[]} */ (["microphone", "camera"]);
const config = fetch("/config.json").then((answer) => answer.json());
/** @type {Visit | null} */ let visit = null;

// ---- the form

/** What a token says about itself. It is not checked here: that is the server's work. @param {string} token */
function claims(token) {
  try {
    const bytes = Uint8Array.from(atob(token.split(".")[1].replace(/-/g, "+").replace(/_/g, "/")), (c) => c.charCodeAt(0));
    const { sub, name, video } = JSON.parse(new TextDecoder().decode(bytes));
    return { identity: String(sub ?? ""), name: String(name || sub || ""), room: String(video?.room ?? "") };
  } catch {
    return { identity: "", name: "", room: "" };
  }
}

/** @param {string} text a token, or a link with one in its fragment */
function readLink(text) {
  const fragment = text.trim().replace(/^[^#]*#/, "");
  const link = new URLSearchParams(fragment);
  const token = link.get("token") ?? (/^[\w-]+\.[\w-]+\.[\w-]*$/.test(text.trim()) ? text.trim() : "");
  return { token, room: link.get("room") ?? "", mode: link.get("mode"), auto: link.get("auto") === "1" };
}

function fillForm() {
  const link = readLink(location.hash);
  const { name, room } = claims(link.token);
  $("token").value = link.token;
  $("room").value = link.room || room;
  if (link.mode) /** @type {any} */ (document.querySelector(`input[value="${link.mode === "p2p" ? "p2p" : "node"}"]`))?.click();
  showTokenFields(!link.token);
  $("summary").textContent = !link.token
    ? "Join a call with a token or a join link."
    : `Join ${$("room").value || "the call"}${name ? ` as ${name}` : ""}.`;
  return link;
}

/** @param {boolean} shown */
function showTokenFields(shown) {
  $("token-fields").hidden = !shown;
  $("other-token").hidden = shown;
}

/** @param {string} text @param {"bad"|"calm"} tone */
function showProblem(text, tone = "bad") {
  $("problem").textContent = text;
  $("problem").hidden = !text;
  $("problem").dataset.tone = tone;
}

async function submit() {
  if (visit || $("join").disabled) return;
  const link = readLink($("token").value);
  const mode = link.mode ?? document.querySelector("input[name=mode]:checked")?.getAttribute("value") ?? "node";
  const room = $("room").value.trim() || link.room || claims(link.token).room;
  if (!link.token) return showProblem("Paste a token or a join link first.");
  if (!room) return showProblem("This token is good for any room: say which one.");
  showProblem("");
  $("join").disabled = true;
  $("join").textContent = "Joining…";
  try {
    await enter(link.token, room, mode);
  } catch (error) {
    showProblem(explain(error));
  }
  $("join").disabled = false;
  $("join").textContent = "Join";
}

// ---- the call

/** @param {string} token @param {string} room @param {string} mode */
async function enter(token, room, mode) {
  const client = new Palaver((await config).gateway);
  const call = mode === "p2p" ? new PeerToPeerCall(client) : new MediaNodeCall(client);
  visit = { client, call, mode, tiles: new Map(), states: new Map(), devices: {} };
  const here = visit;
  listen(here);
  call.start();
  try {
    await client.join({ room, token, attributes: { call: mode } });
  } catch (error) {
    visit = null;
    call.close();
    throw error;
  }
  document.body.dataset.view = "call";
  document.title = `${room} · Palaver`;
  $("room-name").textContent = room;
  $("room-name").focus();
  showButtons();
  if (client.you?.grants?.canPublish === false || client.you?.role === "observer") notice("You are here to watch: this token does not let you send.");
  // Not awaited: joined is joined. Who is sent out while a camera opens may join again at once.
  else openDevices(here, SOURCES).catch((error) => here === visit && notice(explain(error)));
}

/** @param {Visit} here */
function listen({ client, call, tiles, states }) {
  const mine = () => client.you?.peer;
  const refresh = (/** @type {string} */ peer) => refreshTile(peer);
  client.on("state", showState);
  client.on("snapshot", ({ fresh }) => fresh && addSelf());
  client.on("peerJoined", ({ peer, identity, name }) => {
    if (peer === mine()) return;
    addTile({ peer, identity, name: name || identity });
    $("announcement").textContent = `${name || identity} is here.`;
  });
  client.on("peerLeft", ({ peer }) => {
    $("announcement").textContent = `${tiles.get(peer)?.name ?? "Somebody"} left.`;
    removeTile(peer);
  });
  for (const type of ["peerSuspended", "peerResumed", "producerAdded", "producerClosed", "producerPaused", "producerResumed"])
    client.on(type, ({ peer }) => refresh(peer));
  client.on("youMuted", ({ producers = [] }) => mutedByOther(producers));
  client.on("youUnmuteRequested", ({ producers = [] }) => askedToUnmute(producers));
  call.on("track", ({ peer, track }) => {
    const tile = tiles.get(peer);
    tile?.show(track);
    track.onmute = track.onunmute = () => refresh(peer);
    tile?.play().catch((error) => error.name === "NotAllowedError" && askForClick());
    refresh(peer);
  });
  call.on("trackEnded", ({ peer, kind }) => {
    tiles.get(peer)?.hide(kind);
    refresh(peer);
  });
  call.on("connection", ({ peer, state }) => {
    states.set(peer, state);
    for (const one of peer ? [peer] : tiles.keys()) refresh(one);
  });
  call.on("unpublished", ({ source }) => {
    visit?.devices[source]?.stop();
    notice(`A moderator turned your ${source} off.`);
    showButtons();
  });
  call.on("problem", ({ error }) => notice(explain(error)));
}

/** @param {{peer: string, identity: string, name: string, self?: boolean}} who */
function addTile(who) {
  if (!visit || visit.tiles.has(who.peer)) return;
  const tile = new Tile(who);
  visit.tiles.set(who.peer, tile);
  $("tiles").append(tile.element);
  refreshTile(who.peer);
}

/** A fresh session has a new id, and so a new tile. */
function addSelf() {
  if (!visit?.client.you) return;
  const { peer, identity } = visit.client.you;
  for (const [id, tile] of visit.tiles) if ("self" in tile.element.dataset && id !== peer) removeTile(id);
  addTile({ peer, identity, name: claims($("token").value).name || identity, self: true });
  for (const track of Object.values(visit.devices)) if (track) visit.tiles.get(peer)?.show(track);
  refreshTile(peer);
}

/** @param {string} peer */
function removeTile(peer) {
  visit?.tiles.get(peer)?.remove();
  visit?.tiles.delete(peer);
  showCount();
}

/** @param {string} peer */
function refreshTile(peer) {
  const tile = visit?.tiles.get(peer);
  if (!visit || !tile) return;
  const { client, call, states, mode } = visit;
  if (peer === client.you?.peer) {
    const on = (/** @type {Source} */ source) => call.local.has(source) && !call.local.get(source)?.muted;
    tile.set({ microphone: on("microphone"), camera: on("camera") });
  } else {
    const theirs = [...client.producers.values()].filter((one) => one.peer === peer);
    // In a peer-to-peer call a client need not announce what it sends: then what arrives is what there is.
    const silent = mode === "p2p" && theirs.length === 0;
    const on = (/** @type {Source} */ source, /** @type {string} */ kind) =>
      silent ? tile.gets(kind) : theirs.some((one) => one.source === source && !one.paused);
    const [microphone, camera] = [on("microphone", "audio"), on("camera", "video")];
    tile.set({ microphone, camera });
    const theirMode = client.peers.get(peer)?.attributes.call ??
      (theirs.length > 0 ? (theirs.some(({ label }) => label === "p2p") ? "p2p" : "node") : mode);
    const sends = theirs.length > 0 || microphone || camera;
    tile.note(noteOf(client.peers.get(peer), theirMode, states.get(mode === "p2p" ? peer : null), sends));
  }
  showCount();
}

/** @param {any} peer @param {string} theirMode @param {string | undefined} state @param {boolean} sends */
function noteOf(peer, theirMode, state, sends) {
  if (peer?.suspended) return "Reconnecting…";
  if (theirMode !== visit?.mode)
    return `In a ${theirMode === "p2p" ? "peer-to-peer" : "media-node"} call: leave and join that way`;
  if (!sends) return "Watching";
  if (state === "failed" || state === "disconnected") return "Reconnecting media…";
  return state === "connected" ? "" : "Connecting…";
}

function showCount() {
  const count = visit?.tiles.size ?? 0;
  $("count").textContent = count === 1 ? "only you" : `${count} people`;
  arrange($("tiles"));
}

/** @param {{state: string, error?: any, resumed?: boolean}} change */
function showState({ state, error }) {
  const words = { connecting: "Connecting…", joined: "Connected", reconnecting: "Reconnecting…", closed: "Closed" };
  $("state").textContent = words[state] ?? state;
  $("state").dataset.state = state;
  if (state === "closed" && document.body.dataset.view === "call") goOut(error);
}

// ---- your own devices

/** @param {Visit} here @param {Source[]} sources */
async function openDevices(here, sources) {
  const tracks = await getTracks(sources);
  if (here !== visit) return Object.values(tracks).forEach((track) => track.stop());
  Object.assign(here.devices, tracks);
  const mine = here.tiles.get(here.client.you?.peer ?? "");
  for (const track of Object.values(tracks)) mine?.show(track);
  const published = here.call.publish(tracks);
  showButtons();
  await published;
  for (const source of sources) if (!here.call.local.has(source)) tracks[source]?.stop();
  showButtons();
}

/** Asks for all at once, so that there is one question, then for each alone. @param {Source[]} sources */
async function getTracks(sources) {
  const want = { microphone: { audio: true }, camera: { video: { width: { ideal: 640 }, height: { ideal: 360 } } } };
  /** @type {Partial<Record<Source, MediaStreamTrack>>} */ const found = {};
  /** @type {[Source, any][]} */ const missing = [];
  const open = async (/** @type {Source[]} */ some) => {
    const stream = await navigator.mediaDevices.getUserMedia(Object.assign({}, ...some.map((one) => want[one])));
    for (const track of stream.getTracks()) found[track.kind === "audio" ? "microphone" : "camera"] = track;
  };
  try {
    await open(sources);
  } catch {
    for (const source of sources) await open([source]).catch((error) => missing.push([source, error]));
  }
  if (missing.length > 0)
    notice(explainDevice(missing[0][1], missing.map(([source]) => `your ${source}`).join(" and ")));
  return found;
}

/** @param {Source} source */
async function toggle(source) {
  if (!visit) return;
  const here = visit;
  const local = here.call.local.get(source);
  $(source).disabled = true;
  try {
    if (!local) await openDevices(here, [source]);
    else {
      const muting = !local.muted;
      const heard = here.call.setMuted(source, muting);
      showButtons();
      if (!(await heard) && !muting) {
        await here.call.setMuted(source, true); // the button must not say that the others get it
        notice(`Only a moderator can turn your ${source} on again.`);
      }
    }
  } catch (error) {
    if (error.reason !== "rejoined") notice(explain(error));
  }
  $(source).disabled = false;
  showButtons();
}

/** @param {string[]} producers */
function mutedByOther(producers) {
  for (const [source, local] of visit?.call.local ?? [])
    if (producers.includes(local.producer) && !local.muted) {
      void visit?.call.setMuted(source, true).catch(() => {});
      notice(`A moderator muted your ${source}.`);
    }
  showButtons();
}

/** The button of that source opens it; nobody else does. @param {string[]} producers */
function askedToUnmute(producers) {
  const asked = [...(visit?.call.local.values() ?? [])].filter(({ producer }) => producers.includes(producer));
  if (asked.length === 0) return;
  const run = () => {
    $("notice").hidden = true;
    for (const { source, muted } of asked) if (muted) void toggle(source);
  };
  notice(`A moderator asks you to turn on your ${asked.map(({ source }) => source).join(" and ")}.`, { label: "Turn on", run });
}

function showButtons() {
  for (const source of SOURCES) {
    const local = visit?.call.local.get(source);
    const on = Boolean(local && !local.muted);
    $(source).dataset.on = String(on);
    $(source).setAttribute("aria-pressed", String(on));
    $(source).title = on ? `Mute your ${source}` : `Turn your ${source} on`;
  }
  refreshTile(visit?.client.you?.peer ?? "");
}

// ---- leaving, and words to the user

/** @param {any} [error] */
function goOut(error) {
  const here = visit;
  visit = null;
  here?.call.close();
  for (const track of Object.values(here?.devices ?? {})) track?.stop();
  for (const tile of here?.tiles.values() ?? []) tile.remove();
  $("notice").hidden = true;
  document.body.dataset.view = "join";
  document.title = "Palaver";
  if (error && error.reason !== "closed") showProblem(explain(error));
  else showProblem("You left the room.", "calm");
  $("join").focus();
}

/** @param {string} text @param {{label: string, run: () => void}} [action] */
function notice(text, action) {
  $("notice-text").textContent = text;
  $("notice-action").hidden = !action;
  $("notice-action").textContent = action?.label ?? "";
  $("notice-action").onclick = action?.run ?? null;
  $("notice").hidden = false;
  arrange($("tiles"));
}

function askForClick() {
  const play = () => {
    for (const tile of visit?.tiles.values() ?? []) tile.play().catch(() => {});
  };
  // Any click or key will do, also when another message has taken the place of this one.
  for (const gesture of ["pointerdown", "keydown"]) addEventListener(gesture, play, { once: true });
  notice("The browser waits for a click before it plays sound.", { label: "Play", run: () => ($("notice").hidden = true) });
}

$("join-form").addEventListener("submit", (/** @type {Event} */ event) => {
  event.preventDefault();
  void submit();
});
$("other-token").addEventListener("click", () => {
  $("token").value = "";
  $("room").value = "";
  showTokenFields(true);
  $("token").focus();
});
$("notice-close").addEventListener("click", () => ($("notice").hidden = true));
$("leave").addEventListener("click", () => visit?.client.leave());
for (const source of SOURCES) $(source).addEventListener("click", () => toggle(source));
new ResizeObserver(() => arrange($("tiles"))).observe($("tiles"));
addEventListener("hashchange", () => !visit && fillForm());
// Best effort: whoever closes the window should not stay as a ghost until the grace period is over.
addEventListener("pagehide", () => void visit?.client.leave());
addEventListener("pageshow", (event) => event.persisted && location.reload());

if (fillForm().auto) void submit();
