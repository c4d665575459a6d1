// The list of events: what is stored, and what happens now; filters, a person's history, acknowledging.
import { alarm } from "./alarms.js";
import { json, send } from "./ask.js";
import { fetchJson, find, icon, make, percent, setText, timeOf } from "./dom.js";
import { openDetail } from "./detail.js";
import { KINDS, picture, steps } from "./evidence.js";
import { matches, offer, remember, restore, wanted } from "./filters.js";

const MOST = 200; // cards kept in the page
const shown = new Map();
const form = find("#filters");
let stream = null;

export function start() {
  restore();
  form.addEventListener("change", filtered);
  form.addEventListener("reset", () => setTimeout(filtered));
  form.addEventListener("submit", (event) => event.preventDefault());
  find("#older").addEventListener("click", () => load(oldest()));
  find("#history button").addEventListener("click", () => { form.person.value = ""; filtered(); });
  find("#acknowledge-all").addEventListener("click", acknowledgeAll);
  document.addEventListener("history", (event) => history(event.detail));
  listen();
  reload();
}

function filtered() {
  remember();
  return reload();
}

export function offerCameras(names) {
  offer(form.camera, names);
}

function listen() {
  stream?.close();
  stream = new EventSource("/api/events/stream");
  stream.addEventListener("event", (message) => arrived(JSON.parse(message.data)));
  stream.onerror = () => {
    if (stream.readyState === EventSource.CLOSED) setTimeout(() => { listen(); reload(); }, 3000);
  };
}

function arrived(event) {
  const known = shown.has(event.id);
  if (!matches(event)) {
    if (known) { shown.get(event.id).item.remove(); shown.delete(event.id); }
    return empty();
  }
  place(event, !known);
  if (!known && !event.acknowledged) {
    alarm(event);
    find("#announcer").textContent = `${KINDS[event.kind]} at ${event.camera}: ${event.text}`;
    offer(form.person, [event.identity, event.claimed, event.likely].filter(Boolean));
  }
}

async function reload() {
  for (const { item } of shown.values()) item.remove();
  shown.clear();
  const count = [...wanted().keys()].filter((key) => key !== "kind").length + (wanted().has("kind") ? 1 : 0);
  find("#filter-count").textContent = count ? ` (${count})` : "";
  for (const format of ["csv", "jsonl"]) find(`#save-${format}`).href = `/api/events/export.${format}?${wanted()}`;
  await Promise.all([load(null), showHistory()]);
}

async function load(before) {
  const query = wanted();
  if (before !== null) query.set("before_id", before);
  query.set("limit", "30");
  const asked = String(wanted());
  const { events } = await fetchJson(`/api/events?${query}`).catch(() => ({ events: [] }));
  if (String(wanted()).replace(/since=[^&]*/, "") !== asked.replace(/since=[^&]*/, "")) return; // the filter has changed meanwhile
  events.forEach((event) => place(event, false));
  find("#older").hidden = events.length < 30;
  empty();
}

const oldest = () => Math.min(...shown.keys());

function place(event, fresh) {
  const item = card(event, fresh);
  const old = shown.get(event.id);
  if (old) {
    const focused = old.item.contains(document.activeElement) ? document.activeElement.dataset.action : null;
    old.item.replaceWith(item);
    if (focused) (find(`[data-action="${focused}"]`, item) || find("button", item))?.focus();
  } else {
    const next = [...shown.keys()].filter((id) => id < event.id).sort((a, b) => b - a)[0];
    find("#event-list").insertBefore(item, next === undefined ? null : shown.get(next).item);
  }
  shown.set(event.id, { event, item });
  if (fresh && shown.size > MOST) { const last = oldest(); shown.get(last).item.remove(); shown.delete(last); }
  empty();
}

function empty() {
  const none = find("#no-events");
  none.hidden = shown.size > 0;
  none.textContent = [...wanted().keys()].length ? "No event matches the filter." : "Nothing has happened yet.";
}

function card(event, fresh) {
  const attack = event.kind === "suspected_attack";
  const when = make("time", { datetime: event.time, title: new Date(event.time).toLocaleString() }, timeOf(event.time));
  const note = event.note ? make("p", { class: "note" }, event.note) : null;
  const item = make("li", { class: `event${fresh ? " fresh" : ""}`, data: { kind: event.kind, id: event.id, acknowledged: event.acknowledged } },
    make("div", { class: "event-head" }, make("span", { class: "tag" }, icon(event.kind), ` ${KINDS[event.kind]}`), when),
    make("div", { class: "event-body" },
      attack || !event.pictures.includes("before") ? null : picture(event, "before", "face"),
      make("div", {}, sentence(event), make("p", { class: "meta" }, [event.camera, confidence(event)].filter(Boolean).join(" · ")))),
    attack ? steps(event) : null,
    note,
    actions(event));
  return item;
}

function sentence(event) {
  const name = (text) => make("b", {}, text);
  if (event.kind === "known") return make("p", { class: "sentence" }, name(event.identity), " appeared");
  if (event.kind === "same_name_twice") return make("p", { class: "sentence" }, name(event.identity), " is in view twice at once");
  if (event.kind === "unknown") return make("p", { class: "sentence" }, "Somebody unknown");
  const passes = ["Passes for ", name(event.claimed)];
  if (event.dissent && event.likely === event.claimed) passes.push(`, but the view without the ${event.dissent.replaceAll("_", " ")} disagrees`);
  else if (event.likely) passes.push(", is likely ", name(event.likely));
  return make("p", { class: "sentence" }, ...passes);
}

function confidence(event) {
  if (event.kind === "unknown") return event.reason;
  if (event.kind === "suspected_attack" && event.raw_probability !== null)
    return `${event.claimed} ${percent(event.raw_probability)} before` + (event.likely && event.likely !== event.claimed ? `, ${event.likely} ${percent(event.view_probability)} after` : ", not borne out after");
  return `confidence ${percent(event.confidence)}`;
}

function actions(event) {
  const person = event.identity || event.claimed;
  return make("div", { class: "actions" },
    make("button", { type: "button", data: { action: "detail" }, "aria-label": `Details: ${event.text}`, onclick: () => openDetail(event.id, { history, acknowledge }) }, "Details"),
    person ? make("button", { type: "button", data: { action: "history" }, onclick: () => history(person) }, `History of ${person}`) : null,
    event.acknowledged ? make("span", { class: "done" }, icon("known"), " Acknowledged")
      : make("button", { type: "button", data: { action: "acknowledge" }, "aria-label": `Acknowledge: ${event.text}`, onclick: () => acknowledge(event.id) }, "Acknowledge"));
}

export async function acknowledge(id) {
  arrived(await fetchJson(`/api/events/${id}/acknowledge`, { method: "POST" }));
}

// All that the filter lets through and that was there by now, also what is not loaded here.
async function acknowledgeAll() {
  const place = find("#acknowledged");
  try {
    const { ids } = await send(`/api/events/acknowledge?${wanted()}`, { method: "POST" });
    place.replaceChildren(make("span", {}, ids.length ? `${ids.length} acknowledged. ` : "Nothing was open. "),
      ids.length ? make("button", { type: "button", onclick: () => takeBack(ids) }, "Undo") : "");
    await reload();
  } catch (error) {
    setText(place, error.message);
  }
}

async function takeBack(ids) {
  const place = find("#acknowledged");
  try {
    const { ids: back } = await send("/api/events/unacknowledge", json({ ids }));
    setText(place, `${back.length} open again.`);
    await reload();
  } catch (error) {
    setText(place, error.message);
  }
}

export function history(person) {
  offer(form.person, [person]);
  form.person.value = person;
  filtered();
  find("#events").focus({ preventScroll: true });
}

async function showHistory() {
  const { people } = await fetchJson("/api/people").catch(() => ({ people: [] }));
  offer(form.person, people.map((one) => one.name));
  const name = form.person.value;
  find("#history").hidden = !name;
  if (!name) return;
  const one = people.find((person) => person.name === name) || { events: 0, attacks: 0, last_seen: null };
  find("#history h3").textContent = `History of ${name}`;
  find("#history p").textContent = `${one.events} ${one.events === 1 ? "event" : "events"}, ${one.attacks} suspected ${one.attacks === 1 ? "attack" : "attacks"}`
    + (one.last_seen ? `; last ${timeOf(new Date(one.last_seen * 1000).toISOString())}` : "");
}
