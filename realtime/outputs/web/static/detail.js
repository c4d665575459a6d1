// Everything about one event, in a dialog.
import { json, send } from "./ask.js";
import { fetchJson, find, make, percent, setText } from "./dom.js";
import { KINDS, picture, steps } from "./evidence.js";
import { thisIs } from "./people.js";

const dialog = find("#detail");
dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); });

export async function openDetail(id, { history, acknowledge }) {
  const event = await fetchJson(`/api/events/${id}`);
  const person = event.identity || event.claimed;
  find("#detail-title").textContent = event.text;
  find(".detail-body", dialog).replaceChildren(
    make("div", { class: "detail-pictures" },
      event.pictures.includes("frame") ? frame(event) : make("p", { class: "empty" }, "The frame is not kept."),
      steps(event),
      everyView(event),
      event.pictures.includes("clip") ? make("video", { src: `/api/events/${event.id}/clip`, controls: true, muted: true, preload: "none", "aria-label": "A clip around it" }) : null,
      event.pictures.includes("before") && !event.pictures.includes("saliency") ? make("p", { class: "empty" }, "Saliency and mask were not looked at.") : null),
    make("div", { class: "detail-text" }, facts(event), explained(event), probabilities(event), noted(event),
      find("#people").hidden ? null : thisIs(event),
      make("div", { class: "actions" },
        person ? make("button", { type: "button", onclick: () => { dialog.close(); history(person); } }, `History of ${person}`) : null,
        event.acknowledged ? null : make("button", { type: "button", class: "primary", onclick: async () => { await acknowledge(id); dialog.close(); } }, "Acknowledge"))));
  dialog.showModal();
}

function frame(event) {
  const whole = picture(event, "frame", "The whole frame");
  whole.removeAttribute("width");
  whole.removeAttribute("height");
  whole.loading = "eager";
  const mark = make("span", { class: "mark", "aria-hidden": "true" });
  const [x1, y1, x2, y2] = event.box.map((share) => Math.min(1, Math.max(0, share)) * 100);
  Object.assign(mark.style, { left: `${x1}%`, top: `${y1}%`, width: `${x2 - x1}%`, height: `${y2 - y1}%` });
  return make("div", { class: "whole" }, whole, mark);
}

// Every look that it was decided by, in one picture; larger by itself.
function everyView(event) {
  if (!event.pictures.includes("before")) return null;
  const address = `/api/events/${event.id}/explanation.png`;
  const image = make("img", { src: address, alt: "Every view of the face and what each says, as one picture", loading: "lazy", decoding: "async" });
  const link = make("a", { href: address, target: "_blank", rel: "noopener", class: "explained" }, image);
  image.addEventListener("error", () => link.remove());
  return link;
}

// Why it was decided so, in words.
function explained(event) {
  if (!event.pictures.includes("before")) return null;
  const words = make("div", { class: "why" });
  fetchJson(`/api/events/${event.id}/explanation`).then(({ sentences }) =>
    words.replaceChildren(make("h3", {}, "Why"), ...sentences.map((one) => make("p", {}, one)))).catch(() => {});
  return words;
}

function noted(event) {
  const text = make("textarea", { rows: 2, maxlength: 2000 }, event.note || "");
  const told = make("p", { role: "status", class: "quiet" });
  return make("form", { class: "noted", onsubmit: async (submitted) => {
    submitted.preventDefault();
    try {
      await send(`/api/events/${event.id}/note`, json({ note: text.value }));
      setText(told, "The note is kept.");
    } catch (error) {
      setText(told, error.message);
    }
  } }, make("label", {}, "Note ", text), make("button", {}, "Keep the note"), told);
}

function facts(event) {
  const rows = {
    Kind: KINDS[event.kind],
    Time: new Date(event.time).toLocaleString(),
    Camera: event.camera,
    Track: event.other_track_id === null ? event.track_id : `${event.track_id} and ${event.other_track_id}`,
    Identity: event.identity,
    Claimed: event.claimed,
    Likely: event.likely,
    Confidence: percent(event.confidence),
    Reason: event.reason,
    "Dissenting view": event.dissent,
    "Went on until": event.ended ? new Date(event.ended).toLocaleString() : null,
    "In the file at": event.clip_at === null || event.clip_at === undefined ? null : `${event.clip_at.toFixed(1)} s`,
  };
  return make("dl", { class: "facts" }, ...Object.entries(rows).filter(([, value]) => value !== null && value !== "" && value !== undefined)
    .flatMap(([term, value]) => [make("dt", {}, term), make("dd", {}, String(value))]));
}

function probabilities(event) {
  if (!event.probabilities) return null;
  const { labels, raw, masked, zones = [], views = [] } = event.probabilities;
  const columns = [["Before", raw], ...zones.map((zone, i) => [`Without ${zone.replaceAll("_", " ")}`, views[i]]), ["After the mask", masked]]
    .filter(([, values]) => values);
  const highest = (i) => Math.max(...columns.map(([, values]) => values[i]));
  const best = labels.map((_, i) => i).sort((a, b) => highest(b) - highest(a)).slice(0, 5);
  return make("table", { class: "bars" },
    make("caption", {}, "Probabilities, the five highest"),
    make("thead", {}, make("tr", {}, ...["Name", ...columns.map(([title]) => title)].map((title) => make("th", { scope: "col" }, title)))),
    make("tbody", {}, ...best.map((i) => make("tr", {}, make("th", { scope: "row" }, labels[i]), ...columns.map(([, values]) => bar(values[i]))))));
}

function bar(value) {
  const fill = make("span", { class: "fill" });
  fill.style.width = `${value * 100}%`;
  return make("td", {}, make("span", { class: "bar", "aria-hidden": "true" }, fill), make("span", { class: "figure" }, `${(value * 100).toFixed(1)}\u00a0%`));
}
