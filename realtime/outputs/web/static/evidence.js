// An event's kind in words and its evidence as pictures, for the list and the dialog.
import { make } from "./dom.js";

export const KINDS = { suspected_attack: "Suspected attack", known: "Known", unknown: "Unknown", same_name_twice: "Same name twice" };
export const STEPS = { before: "Before", saliency: "Saliency", mask: "Mask", after: "After" };

export function steps(event) {
  return make("ul", { class: "steps" }, ...Object.entries(STEPS).filter(([name]) => event.pictures.includes(name)).map(([name, title]) =>
    make("li", {}, make("figure", {}, picture(event, name, title), make("figcaption", {}, title)))));
}

export function picture(event, name, title) {
  return make("img", { src: `/api/events/${event.id}/${name}`, alt: `${title}: ${event.text}`, class: name, loading: "lazy", decoding: "async", width: 112, height: 112 });
}
