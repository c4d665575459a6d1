import { find, setText } from "./dom.js";
import * as alarms from "./alarms.js";
import * as drill from "./drill.js";
import * as events from "./events.js";
import * as live from "./live.js";
import * as people from "./people.js";
import * as zones from "./zones.js";

let started = false;
let peopled = false;

zones.start();
alarms.start();

live.start(({ cameras, engine, events: recorded, login, people: changeable, drill: drilled }) => {
  find("#no-cameras").hidden = cameras.length > 0;
  setText(find("#engine"), engine ? `Engine ${engine}` : "");
  find("#logout").hidden = !login;
  find("#events").hidden = !recorded;
  find("#people").hidden = !changeable;
  if (changeable && !peopled) people.start();
  peopled = changeable;
  if (changeable) people.offerCameras(cameras.map((camera) => camera.name));
  drill.show(drilled, cameras.map((camera) => camera.name));
  document.body.classList.toggle("without-events", !recorded);
  if (!recorded) return;
  events.offerCameras(cameras.map((camera) => camera.name));
  if (!started) events.start();
  started = true;
});
