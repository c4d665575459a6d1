// Who is to be known: the list with its warnings, undo; and "This is ..." on an event's face.
import { confirmed, json, send } from "./ask.js";
import { find, make, setText } from "./dom.js";
import * as enrol from "./enrol.js";
import { merge, openPerson, remove, rename, warnings } from "./person.js";

const MOST = 100; // people shown at a time
const REPORTED = 300; // of so many people the report is asked for unasked
const list = find("#people-list");
const said = find("#people-said");
const search = find("#people-search");
let everybody = [];

export const offerCameras = enrol.offerCameras;

export function start() {
  enrol.start(changed);
  find("#people-undo").addEventListener("click", () => guarded(async () => {
    await send("/api/gallery/undo", json({}));
    changed(["The last change is undone."]);
  }));
  find("#people-check").addEventListener("click", () => guarded(check));
  search.addEventListener("input", showList);
  refresh();
}

async function guarded(what) {
  try {
    await what();
  } catch (error) {
    say([error.message], false);
  }
}

function changed(lines) {
  say(lines, true);
  return refresh();
}

export async function refresh() {
  try {
    everybody = (await send("/api/gallery")).people;
    find("#people-count").textContent = everybody.length === 1 ? "one person" : `${everybody.length} people`;
    find("#known-names").replaceChildren(...everybody.slice(0, 1000).map((one) => make("option", { value: one.name })));
    find("#people-find").hidden = everybody.length < 10;
    showList();
    if (everybody.length <= REPORTED) await check();
  } catch (error) {
    say([`The people cannot be read: ${error.message}`], false);
  }
}

function showList() {
  const wanted = search.value.trim().toLowerCase();
  const found = everybody.filter((one) => one.name.toLowerCase().includes(wanted));
  list.replaceChildren(...found.slice(0, MOST).map(row));
  setText(find("#people-more"), found.length > MOST ? `${found.length - MOST} more; search for a name.` : "");
}

function row(person) {
  const of = `${person.pictures} ${person.pictures === 1 ? "picture" : "pictures"}`;
  const consent = person.consent ? "consent kept" : "no consent recorded";
  const button = (word, what) => make("button", { type: "button", "aria-label": `${word} ${person.name}`, onclick: () => guarded(() => what(person.name, changed)) }, word);
  return make("li", { class: "person" },
    make("div", {}, make("b", {}, person.name), make("p", { class: "quiet" }, `${of}, added ${person.added}, ${consent}`)),
    make("div", { class: "actions" }, button("Look", openPerson), button("Rename", rename), button("Remove", remove)));
}

async function check() {
  const found = warnings(await send("/api/gallery/report"));
  const box = find("#people-warnings");
  box.hidden = !found.length;
  find("ul", box).replaceChildren(...found.slice(0, 20).map(({ text, people: [one, other] }) => make("li", {}, make("span", {}, text),
    other ? make("button", { type: "button", class: "plain", "aria-label": `Merge ${one} and ${other}`, onclick: () => guarded(() => merge(one, changed, other)) }, "Merge")
      : make("button", { type: "button", class: "plain", "aria-label": `Look at ${one}`, onclick: () => guarded(() => openPerson(one, changed)) }, "Look"))));
}

// "This is ..." for an event's face. A face under alarm is asked about once more.
export function thisIs(event) {
  if (!event.pictures.includes("before")) return null;
  const name = make("input", { name: "name", required: true, maxlength: 100, list: "known-names", autocomplete: "off" });
  const consent = make("input", { type: "checkbox", required: true });
  const told = make("p", { role: "status", class: "quiet" });
  async function learn(again) {
    setText(told, "");
    try {
      const found = await send(`/api/events/${event.id}/person`, json({ name: name.value, consent: consent.checked, confirmed: again }));
      setText(told, found.lines.join(" "));
      refresh();
    } catch (error) {
      if (error.confirm && (await confirmed("Under alarm", error.message, "Add it all the same"))) learn(true);
      else setText(told, error.message);
    }
  }
  return make("form", { class: "this-is", onsubmit: (submitted) => { submitted.preventDefault(); learn(false); } },
    make("label", {}, "This is ", name), make("label", { class: "tick" }, consent, " they agree to be recognised"),
    make("button", {}, "Add this face"), told);
}

function say(lines, good) {
  said.dataset.good = String(good);
  said.replaceChildren(...lines.map((line) => make("p", {}, line.trim())));
}
