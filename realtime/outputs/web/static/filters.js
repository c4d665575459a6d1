// The events' filter: a form, its place in the page's address, and what it lets through.
import { find, make } from "./dom.js";

const form = find("#filters");
const FIELDS = ["camera", "person", "period", "acknowledged"];

// What the address says, into the form: a link shows the same events to everybody.
export function restore() {
  const given = new URLSearchParams(location.search);
  for (const box of form.querySelectorAll("[name=kind]")) box.checked = given.getAll("kind").includes(box.value);
  for (const name of FIELDS) {
    const value = given.get(name) || "";
    if (value && ["camera", "person"].includes(name)) offer(form[name], [value]);
    form[name].value = value;
    if (form[name].selectedIndex < 0) form[name].value = "";
  }
  find("#filter-box").open = [...given.keys()].some((name) => name === "kind" || FIELDS.includes(name));
}

export function remember() {
  const data = new FormData(form);
  const query = new URLSearchParams(data.getAll("kind").map((kind) => ["kind", kind]));
  for (const name of FIELDS) if (data.get(name)) query.set(name, data.get(name));
  history.replaceState(null, "", `${location.pathname}${query.size ? `?${query}` : ""}${location.hash}`);
}

export function offer(select, values) {
  const missing = values.filter((value) => ![...select.options].some((option) => option.value === value));
  select.append(...missing.map((value) => make("option", { value }, value)));
}

// As the server wants it.
export function wanted() {
  const data = new FormData(form);
  const query = new URLSearchParams();
  for (const kind of data.getAll("kind")) query.append("kind", kind);
  for (const name of ["camera", "person", "acknowledged"]) if (data.get(name)) query.set(name, data.get(name));
  if (data.get("period")) query.set("since", String(Date.now() / 1000 - Number(data.get("period"))));
  return query;
}

export function matches(event) {
  const query = wanted();
  const kinds = query.getAll("kind");
  const people = [event.identity, event.claimed, event.likely];
  return (!kinds.length || kinds.includes(event.kind))
    && (!query.get("camera") || query.get("camera") === event.camera)
    && (!query.get("person") || people.includes(query.get("person")))
    && (!query.get("acknowledged") || (query.get("acknowledged") === "yes") === event.acknowledged);
}
