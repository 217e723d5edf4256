// @ts-check
/** One participant's tile. Everything that came over the wire is put in as text, never as HTML. */

/** @template {keyof HTMLElementTagNameMap} T @param {T} tag @param {string} [name] */
function make(tag, name) {
  const element = document.createElement(tag);
  if (name) element.className = name;
  return element;
}

/** @param {string} name */
function initials(name) {
  const words = name.trim().split(/[\s._-]+/u).filter(Boolean);
  return words.slice(0, 2).map((word) => [...word][0].toLocaleUpperCase()).join("") || "?";
}

/** @param {string} text a hue that stays the same for the same person */
const hue = (text) => [...text].reduce((sum, letter) => (sum * 31 + (letter.codePointAt(0) ?? 0)) % 360, 7);

export class Tile {
  #tracks = new MediaStream();
  #video = make("video");
  #badge = make("span", "badge");
  #note = make("span", "note");

  /** @param {{peer: string, identity: string, name: string, self?: boolean}} who */
  constructor({ peer, identity, name, self = false }) {
    this.name = name;
    this.element = make("li", "tile");
    Object.assign(this.element.dataset, { peer, identity, camera: "off", microphone: "off" });
    if (self) this.element.dataset.self = "";
    this.element.style.setProperty("--hue", String(hue(identity)));
    this.element.setAttribute("aria-label", self ? `${name} (you)` : name);

    const avatar = make("div", "avatar");
    avatar.textContent = initials(name);
    avatar.setAttribute("aria-hidden", "true");
    Object.assign(this.#video, { autoplay: true, playsInline: true, muted: self, srcObject: this.#tracks });
    const label = make("span", "name");
    label.textContent = self ? `${name} (you)` : name;
    label.title = name;
    this.#badge.textContent = "muted";
    const plate = make("div", "plate");
    plate.append(label, this.#badge);
    this.#note.hidden = true;
    this.element.append(avatar, this.#video, plate, this.#note);
  }

  /** Puts in a track, in the place of the one of its kind. @param {MediaStreamTrack} track */
  show(track) {
    this.hide(track.kind);
    this.#tracks.addTrack(track);
  }

  /** Whether media of this kind arrives. @param {string} kind */
  gets(kind) {
    return this.#tracks.getTracks().some((track) => track.kind === kind && !track.muted);
  }

  /** @param {string} kind */
  hide(kind) {
    for (const old of this.#tracks.getTracks()) if (old.kind === kind) this.#tracks.removeTrack(old);
  }

  /** What the room knows of this participant. @param {{microphone: boolean, camera: boolean}} on */
  set({ microphone, camera }) {
    const shown = camera && this.#tracks.getVideoTracks().length > 0;
    Object.assign(this.element.dataset, { microphone: microphone ? "on" : "off", camera: shown ? "on" : "off" });
    this.#badge.hidden = microphone;
  }

  /** One quiet line about the connection; empty when all is well. @param {string} text */
  note(text) {
    this.#note.textContent = text;
    this.#note.hidden = !text;
    this.element.classList.toggle("faded", text.startsWith("Reconnecting"));
  }

  /** Starts the sound where the browser waits for a click first. @returns {Promise<void>} */
  play() {
    return this.#video.play();
  }

  remove() {
    this.#video.srcObject = null;
    this.element.remove();
  }
}

/** Chooses the number of columns that makes tiles of 16:9 largest. @param {HTMLElement} list */
export function arrange(list) {
  const { clientWidth: width, clientHeight: height, childElementCount: count } = list;
  let [best, columns] = [0, 1];
  for (let n = 1; n <= count; n++) {
    const size = Math.min(width / n, (height / Math.ceil(count / n)) * (16 / 9));
    if (size > best) [best, columns] = [size, n];
  }
  list.style.setProperty("--columns", String(columns));
  list.style.setProperty("--rows", String(Math.ceil(count / columns)));
}
