// Pictures and states of all cameras over one connection. Each message: 4 bytes length, JSON, then `bytes` of JPEG.
import { open as openZones } from "./zones.js";
import { find, icon, make, seconds, sentence, setText } from "./dom.js";

const STATES = { live: "Live", connecting: "Connecting", stale: "Stale", lost: "Lost", refused: "Refused" };
const SILENT = 2000; // ms without any message after which nothing on this page is live any more
const cards = new Map();
let heard = 0;
let running = null;

export function start(onStates) {
  const run = () => {
    if (document.hidden || running) return;
    running = new AbortController();
    receive(onStates, running.signal).finally(() => { running = null; if (!document.hidden) setTimeout(run, 800); });
  };
  document.addEventListener("visibilitychange", () => (document.hidden ? running?.abort() : run()));
  setInterval(showAges, 200);
  run();
}

async function receive(onStates, signal) {
  try {
    const answer = await fetch("/api/live", { cache: "no-store", signal });
    if (answer.status === 401) return location.assign("/login");
    if (!answer.ok) return connection("lost", answer.status === 503 ? "Too many viewers" : "No connection");
    const reader = answer.body.getReader();
    let kept = new Uint8Array(0);
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return connection("lost", "No connection");
      const joined = new Uint8Array(kept.length + value.length);
      joined.set(kept);
      joined.set(value, kept.length);
      kept = joined.subarray(take(joined, onStates));
    }
  } catch (error) {
    if (error.name !== "AbortError") connection("lost", "No connection");
  }
}

// Handles every whole message in `data` and gives how many bytes that were.
function take(data, onStates) {
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  let at = 0;
  while (data.length - at >= 4) {
    const length = view.getUint32(at);
    if (data.length - at - 4 < length) break;
    const header = JSON.parse(new TextDecoder().decode(data.subarray(at + 4, at + 4 + length)));
    const end = at + 4 + length + header.bytes;
    if (data.length < end) break;
    heard = performance.now();
    if (header.cameras) {
      header.cameras.forEach(showState);
      onStates(header);
      connection("live", "Connected");
    } else {
      showPicture(header, data.slice(end - header.bytes, end));
    }
    at = end;
  }
  return at;
}

function card(name) {
  let found = cards.get(name);
  if (found) return found;
  const canvas = make("canvas", { role: "img", "aria-label": `Picture of camera ${name}`, width: 640, height: 360 });
  const state = make("span", { class: "state" });
  const age = make("span", { class: "age" });
  const rate = make("span", { class: "rate" });
  const veil = make("div", { class: "veil" });
  const large = make("button", { type: "button", class: "plain large", "aria-pressed": "false" }, "Enlarge");
  const zones = make("button", { type: "button", class: "plain", "aria-label": `Zones of ${name}`, onclick: () => openZones(name, canvas) }, "Zones");
  const item = make("li", { class: "camera", data: { camera: name } },
    make("div", { class: "screen" }, canvas, veil),
    make("div", { class: "caption" }, make("h3", {}, name), state, age, rate, make("span", { class: "tools" }, zones, large)));
  large.addEventListener("click", () => {
    const on = !item.classList.contains("enlarged");
    for (const other of cards.values()) {
      other.item.classList.toggle("enlarged", on && other.item === item);
      other.large.setAttribute("aria-pressed", String(on && other.item === item));
      other.large.textContent = on && other.item === item ? "Reduce" : "Enlarge";
    }
  });
  find("#camera-list").append(item);
  found = { item, canvas, state, age, rate, veil, large, status: null, drawn: null, statusAt: 0, busy: false, next: null };
  cards.set(name, found);
  return found;
}

function showState(status) {
  const one = card(status.name);
  one.status = status;
  one.statusAt = performance.now();
}

// Decoding may take longer than pictures come: only the newest one waits.
async function showPicture(header, jpeg) {
  const one = card(header.picture);
  one.next = { header, jpeg, received: performance.now() };
  if (one.busy) return;
  one.busy = true;
  while (one.next) {
    const { header: of, jpeg: bytes, received } = one.next;
    one.next = null;
    try {
      const bitmap = await createImageBitmap(new Blob([bytes], { type: "image/jpeg" }));
      if (one.canvas.width !== bitmap.width || one.canvas.height !== bitmap.height) {
        one.canvas.width = bitmap.width;
        one.canvas.height = bitmap.height;
      }
      one.canvas.getContext("2d").drawImage(bitmap, 0, 0);
      bitmap.close();
      one.drawn = { age: of.age, received };
      one.canvas.dataset.sequence = of.sequence;
    } catch { /* one broken picture; the next one comes */ }
  }
  one.busy = false;
}

function showAges() {
  const now = performance.now();
  const silent = heard > 0 && now - heard > SILENT;
  if (silent) connection("lost", "No connection");
  for (const one of cards.values()) {
    if (!one.status) continue;
    const age = one.drawn ? one.drawn.age + (now - one.drawn.received) / 1000 : null;
    let state = one.status.state;
    if (silent) state = "stale";
    else if (state === "live" && !one.drawn) state = "connecting";
    else if (state === "live" && age > 2) state = "stale";
    show(one, state, age, silent);
  }
}

function show(one, state, age, silent) {
  if (one.item.dataset.state !== state) {
    one.item.dataset.state = state;
    one.state.replaceChildren(icon(state), ` ${STATES[state] || state}`);
  }
  const live = state === "live";
  setText(one.age, age === null ? "no picture yet" : live ? `${age.toFixed(2)} s old` : `${seconds(age)} old`);
  const node = one.status.node ? ` on ${one.status.node}` : "";
  setText(one.rate, (live ? `${one.status.fps.toFixed(1)} fps` : "") + node);
  const why = silent ? "This page has lost its connection." : live ? "" : one.status.message;
  const text = live ? "" : [STATES[state] || state, age === null ? "" : `This picture is ${seconds(age)} old`, why,
    silent ? "" : sentence(one.status.advice)].filter(Boolean).join("\n");
  if (one.veil.dataset.text !== text) {
    one.veil.dataset.text = text;
    one.veil.replaceChildren(...text.split("\n").filter(Boolean).map((line, i) => make(i ? "p" : "strong", {}, line)));
  }
}

function connection(state, text) {
  const place = find("#connection");
  if (place.dataset.state === state && place.textContent.trim() === text) return;
  place.dataset.state = state;
  place.replaceChildren(icon(state), " ", make("span", {}, text));
}
