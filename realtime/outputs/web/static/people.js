// Who is to be known: add, rename, merge, remove, undo; and "This is ..." on an event's face.
import { fetchJson, find, make, setText } from "./dom.js";

const form = find("#add-person");
const list = find("#people-list");
const said = find("#people-said");

export function start() {
  form.addEventListener("submit", add);
  find("#people-undo").addEventListener("click", () => change("/api/gallery/undo", {}, "The last change is undone."));
  refresh();
}

export async function refresh() {
  try {
    const { people } = await fetchJson("/api/gallery");
    find("#people-count").textContent = people.length === 1 ? "one person" : `${people.length} people`;
    find("#known-names").replaceChildren(...people.map((one) => make("option", { value: one.name })));
    list.replaceChildren(...people.map(row));
  } catch (error) {
    say([`The people cannot be read: ${error.message}`], false);
  }
}

function row(person) {
  const of = `${person.pictures} ${person.pictures === 1 ? "picture" : "pictures"}`;
  const consent = person.consent ? "consent kept" : "no consent recorded";
  return make("li", { class: "person" },
    make("div", {}, make("b", {}, person.name), make("p", { class: "quiet" }, `${of}, added ${person.added}, ${consent}`)),
    make("div", { class: "actions" },
      make("button", { type: "button", "aria-label": `Look at ${person.name}`, onclick: () => show(person.name) }, "Look"),
      make("button", { type: "button", "aria-label": `Rename ${person.name}`, onclick: () => rename(person.name) }, "Rename"),
      make("button", { type: "button", "aria-label": `Remove ${person.name}`, onclick: () => remove(person.name) }, "Remove")));
}

async function add(event) {
  event.preventDefault();
  const button = find("button[type=submit]", form);
  button.disabled = true;
  say(["Looking at the pictures …"], true);
  try {
    const found = await send("/api/gallery/people", { method: "POST", body: new FormData(form) });
    say(found.lines, true);
    form.reset();
    await refresh();
  } catch (error) {
    say([error.message], false);
  } finally {
    button.disabled = false;
  }
}

async function show(name) {
  try {
    const { report, kept_pictures: kept, consent } = await send(address(name));
    const one = report.people[0];
    say([
      `${name}: ` + (one.tried ? `${one.right} of ${one.tried} pictures are right when left out` : "one picture only, so none can be left out"),
      ...report.misfits.map((misfit) => `Picture ${misfit.picture + 1} fits ${misfit.instead || "nobody"} better.`),
      ...report.lookalikes.map((pair) => `Looks like ${pair.other === name ? pair.name : pair.other}.`),
      ...report.duplicates.map((pair) => `Shares a picture with ${pair.first[0] === name ? pair.second[0] : pair.first[0]}.`),
      `${kept} kept as crops; consent: ${consent || "not recorded"}.`,
    ], true);
  } catch (error) {
    say([error.message], false);
  }
}

async function rename(name) {
  const given = await asked(`Rename ${name}`, "New name", name, "Rename");
  if (given) change(`${address(name)}/rename`, { name: given }, `${name} is ${given} now.`);
}

async function remove(name) {
  const box = make("label", { class: "tick" }, make("input", { type: "checkbox" }), " for good, also from undo");
  if (!(await confirmed(`Remove ${name}?`, "Vectors and kept pictures go.", "Remove", box))) return;
  const forGood = find("input", box).checked ? "?for_good=yes" : "";
  try {
    await send(address(name) + forGood, { method: "DELETE" });
    say([`${name} is removed${forGood ? " for good" : "; undo brings them back"}.`], true);
    await refresh();
  } catch (error) {
    say([error.message], false);
  }
}

async function change(path, given, done) {
  try {
    await send(path, json(given));
    say([done], true);
    await refresh();
  } catch (error) {
    say([error.message], false);
  }
}

// "This is ..." for an event's face. A face under alarm is asked about once more.
export function thisIs(event) {
  if (!event.pictures.includes("before")) return null;
  const name = make("input", { name: "name", required: true, maxlength: 100, list: "known-names", autocomplete: "off" });
  const consent = make("input", { type: "checkbox", required: true });
  const told = make("p", { role: "status", class: "quiet" });
  const box = make("form", { class: "this-is", onsubmit: (submitted) => { submitted.preventDefault(); learn(false); } },
    make("label", {}, "This is ", name), make("label", { class: "tick" }, consent, " they agree to be recognised"),
    make("button", {}, "Add this face"), told);
  async function learn(again) {
    setText(told, "");
    const given = { name: name.value, consent: consent.checked, confirmed: again };
    try {
      const found = await send(`/api/events/${event.id}/person`, json(given));
      setText(told, found.lines.join(" "));
      refresh();
    } catch (error) {
      if (error.confirm && (await confirmed("Under alarm", error.message, "Add it all the same"))) learn(true);
      else setText(told, error.message);
    }
  }
  return box;
}

const address = (name) => `/api/gallery/people/${encodeURIComponent(name)}`;
const json = (given) => ({ method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(given) });

async function send(path, options = {}) {
  let answer;
  try {
    answer = await fetch(path, { cache: "no-store", ...options });
  } catch {
    throw new Error("The connection was lost; nothing was changed unless the list shows it.");
  }
  if (answer.status === 401) location.assign("/login");
  const found = await answer.json().catch(() => ({ error: `refused (${answer.status})` }));
  if (!answer.ok) throw Object.assign(new Error(found.error || `refused (${answer.status})`), { confirm: found.confirm });
  return found;
}

function say(lines, good) {
  said.dataset.good = String(good);
  said.replaceChildren(...lines.map((line) => make("p", {}, line.trim())));
}

// A question in a dialog; gives whether it was answered with yes.
function confirmed(title, text, yes, ...more) {
  return new Promise((settle) => {
    const dialog = make("dialog", { class: "question", "aria-label": title },
      make("form", { method: "dialog" }, make("h2", {}, title), text ? make("p", {}, text) : null, ...more,
        make("div", { class: "row" }, make("button", { value: "yes", class: "primary" }, yes), make("button", { value: "no" }, "Cancel"))));
    dialog.addEventListener("close", () => { dialog.remove(); settle(dialog.returnValue === "yes"); });
    document.body.append(dialog);
    dialog.showModal();
  });
}

async function asked(title, label, value, yes) {
  const input = make("input", { value, required: true, maxlength: 100 });
  const right = await confirmed(title, "", yes, make("label", {}, `${label} `, input));
  return right && input.value.trim() !== value ? input.value.trim() : "";
}
