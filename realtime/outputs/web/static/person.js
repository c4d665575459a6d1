// One person in a dialog: how well they are told apart, each picture, and what can be done.
import { asked, confirmed, json, send } from "./ask.js";
import { find, make, setText } from "./dom.js";

const dialog = find("#person");
const body = find(".person-body", dialog);
dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); });

export const address = (name, rest = "") => `/api/gallery/people/${encodeURIComponent(name)}${rest}`;

export async function openPerson(name, changed) {
  const person = await send(address(name));
  setText(find("#person-title"), person.name);
  const done = (words) => { dialog.close(); changed(words); };
  body.replaceChildren(
    make("ul", { class: "lines" }, ...inWords(person).map((line) => make("li", {}, line))),
    make("div", { class: "actions" },
      make("button", { type: "button", onclick: () => history(person.name) }, "History"),
      make("button", { type: "button", onclick: () => guarded(() => rename(person.name, done)) }, "Rename"),
      make("button", { type: "button", onclick: () => guarded(() => merge(person.name, done)) }, "Merge"),
      make("a", { href: address(person.name, "/export"), download: "person.zip", class: "button" }, "Export"),
      make("button", { type: "button", onclick: () => guarded(() => remove(person.name, done)) }, "Remove")),
    make("p", { class: "wrong", role: "alert" }),
    make("h3", {}, "Pictures"),
    make("ul", { class: "pictures" }, ...person.digests.map((digest, number) => picture(person, digest, number, changed))));
  if (!dialog.open) dialog.showModal();
}

async function guarded(what) {
  try {
    await what();
  } catch (error) {
    setText(find(".wrong", body), error.message);
  }
}

function inWords({ name, added, consent, kept_pictures: kept, report }) {
  const one = report.people[0];
  return [
    one.tried ? `${one.right} of ${one.tried} pictures are right when left out.` : "One picture only, so none can be left out to try it.",
    ...(one.taken_for.length ? [`Others were taken for ${one.taken_for.join(", ")}.`] : []),
    ...warnings(report, name).map(({ text }) => text),
    `Added ${added}; consent: ${consent || "not recorded"}; ${kept ? `${kept} face crops kept` : "no pictures kept, only vectors"}.`,
  ];
}

// What of a report deserves a look: pairs of people, and pictures that fit badly. Of one person where `name` is given.
export function warnings(report, name = null) {
  const pairs = new Map();
  for (const { first: [a], second: [b] } of report.duplicates) pairs.set(`${a}\n${b}`, (pairs.get(`${a}\n${b}`) || 0) + 1);
  const alike = new Map(report.lookalikes.map((pair) => [[pair.name, pair.other].sort().join("\n"), pair]));
  const pictures = (count) => `${count} ${count === 1 ? "picture" : "pictures"}`;
  return [
    ...[...pairs].map(([pair, count]) => {
      const [a, b] = pair.split("\n");
      return a === b ? { text: `${a} has ${pictures(count)} twice.`, people: [a] } : { text: `${a} and ${b} share ${pictures(count)}. One person? Then merge them.`, people: [a, b] };
    }),
    ...[...alike.values()].map((pair) => ({ text: `${pair.name} and ${pair.other} look alike to this network.`, people: [pair.name, pair.other] })),
    ...report.misfits.map((misfit) => ({
      text: `${name ? "Picture" : `${misfit.name}: picture`} ${misfit.picture + 1} fits ${misfit.instead || "nobody"} better.`, people: [misfit.name] })),
  ];
}

function picture(person, digest, number, changed) {
  const title = `Picture ${number + 1}`;
  const kept = person.kept.includes(digest);
  return make("li", {},
    kept ? make("img", { src: address(person.name, `/pictures/${digest}`), alt: `${title} of ${person.name}`, width: 72, height: 72, loading: "lazy" }) : null,
    make("span", {}, title, kept ? null : make("span", { class: "quiet" }, ` ${digest.slice(0, 8)}`)),
    make("button", { type: "button", class: "plain", "aria-label": `Delete ${title.toLowerCase()} of ${person.name}`, onclick: () => guarded(async () => {
      await send(address(person.name, `/pictures/${digest}`), { method: "DELETE" });
      changed([`${title} of ${person.name} is deleted; undo brings it back.`]);
      await openPerson(person.name, changed);
    }) }, "Delete"));
}

function history(name) {
  dialog.close();
  document.dispatchEvent(new CustomEvent("history", { detail: name }));
}

export async function rename(name, done) {
  const given = await asked(`Rename ${name}`, "New name", name, "Rename");
  if (!given) return;
  await send(address(name, "/rename"), json({ name: given }));
  done([`${name} is ${given} now.`]);
}

export async function merge(name, done, other = "") {
  const given = other || await asked(`Who else is ${name}?`, "Their name", "", "Merge", { list: "known-names" });
  if (!given) return;
  if (other && !(await confirmed(`Are they one person?`, `All pictures of ${other} become ${name}'s.`, "Merge"))) return;
  await send(address(name, "/merge"), json({ others: [given] }));
  done([`${given} is ${name} now.`]);
}

export async function remove(name, done) {
  const forGood = make("input", { type: "checkbox", name: "for-good" });
  const events = make("input", { type: "checkbox", name: "events" });
  const ticks = [make("label", { class: "tick" }, forGood, " for good, also from undo")];
  if (!find("#events").hidden) ticks.push(make("label", { class: "tick" }, events, " with the events that name them, which cannot be undone"));
  if (!(await confirmed(`Remove ${name}?`, "Their vectors and kept pictures go.", "Remove", ...ticks))) return;
  const query = new URLSearchParams([...(forGood.checked ? [["for_good", "yes"]] : []), ...(events.checked ? [["history", "yes"]] : [])]);
  const found = await send(`${address(name)}?${query}`, { method: "DELETE" });
  done([`${name} is removed${forGood.checked ? " for good" : "; undo brings them back"}${events.checked ? `, with ${found.events} events` : ""}.`]);
}
