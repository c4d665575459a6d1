// The mirror attack: glasses drawn onto a camera's faces, with both verdicts side by side. A drill is no event.
import { confirmed, send } from "./ask.js";
import { find, make, setText } from "./dom.js";

const panels = new Map();
const address = (camera) => `/api/drill/${encodeURIComponent(camera)}`;

// `drill` as the server tells it: null where none is offered, otherwise what each camera in a drill says.
export function show(drill, names) {
  if (!drill) return;
  for (const name of names) {
    const item = document.querySelector(`.camera[data-camera="${CSS.escape(name)}"]`);
    if (!item) continue;
    if (!panels.has(name)) panels.set(name, panel(name, item, drill.whole_run));
    update(panels.get(name), drill.cameras[name]);
  }
}

function panel(name, item, whole) {
  const begin = make("button", { type: "button", class: "plain", "aria-label": `Try the attack at ${name}`, onclick: () => guarded(found, () => ask(name)) }, "Try the attack");
  begin.hidden = whole;
  const end = make("button", { type: "button", "aria-label": `End the drill at ${name}`, onclick: () => guarded(found, () => send(address(name), { method: "DELETE" })) }, "Take them off");
  end.hidden = whole;
  const without = make("dd", { class: "without" });
  const within = make("dd", { class: "with" });
  const left = make("span", { class: "quiet" });
  const wrong = make("p", { class: "wrong", role: "alert" });
  const box = make("div", { class: "drill", hidden: true, role: "group", "aria-label": `Drill at ${name}` },
    make("p", {}, make("strong", {}, "Drill"), " Glasses are drawn onto every face here. Nothing of it is kept as an event. ", left),
    make("dl", {}, make("div", {}, make("dt", {}, "Without the defence"), without), make("div", {}, make("dt", {}, "With the defence"), within)), end);
  find(".tools", item).append(begin);
  item.append(box, wrong);
  const found = { begin, box, without, within, left, wrong, whole };
  return found;
}

function update(one, said) {
  one.box.hidden = !said;
  one.begin.hidden = Boolean(said) || one.whole;
  if (!said) return;
  setText(one.without, inWords(said, "undefended"));
  setText(one.within, inWords(said, "defended"));
  setText(one.left, said.seconds === null ? "The whole run is a drill." : `Ends by itself in ${said.seconds} s.`);
}

// "Known(Ada)" now, and how often it was said.
function inWords({ last, counts }, kind) {
  if (!last[kind]) return "no face was decided on yet";
  const words = last[kind].replace(/^Known\((.*)\)$/, "Known: $1").replace(/^SuspectedAttack\((.*)\)$/, "Suspected attack, claims $1");
  const all = Object.values(counts[kind]).reduce((sum, count) => sum + count, 0);
  return `${words} (${counts[kind][last[kind]] || 0} of ${all} looks)`;
}

async function ask(name) {
  const file = make("input", { type: "file", accept: "image/png,image/webp", "aria-label": "Glasses, a picture" });
  const text = "For two minutes glasses are drawn onto every face of this camera, before anything looks at it. What it sees in that time is no event, so real ones go unnoticed here.";
  const choice = make("label", {}, "Glasses that tools.make_glasses wrote (texture.png); none: the last ones, or the demo's ", file);
  if (await confirmed(`Try the attack at ${name}?`, text, "Put them on", choice)) await send(address(name), { method: "POST", body: file.files[0] || null });
}

async function guarded(one, what) {
  setText(one.wrong, "");
  try {
    await what();
  } catch (error) {
    setText(one.wrong, error.message);
  }
}
