/** The viewer page: which streams are shown, and what its buttons and keys do. The address says which. */

import { Controls } from "./controls.js";
import { Legend } from "./legend.js";
import { FilmRecorder, canRecord, fileName, save } from "./recorder.js";
import { StatisticsPanel } from "./statistics_panel.js";
import { StreamList } from "./streams.js";
import { Viewer, ViewerState } from "./viewer.js";

const REST_AFTER_S = 4;
const NOTE_S = 4;
const NOT_ALLOWED = "not-allowed";

const element = (id) => document.getElementById(id);
const address = () => new URL(location.href);

/** The viewer in full view; null in the grid. @type {Viewer | null} */
let viewer = null;
/** The viewers of the grid. @type {Viewer[]} */
let tiles = [];
/** @type {FilmRecorder | null} */
let recorder = null;
let noteTimer = 0;

const streams = new StreamList(element("streams"), { onChange, onChoose: go });
const statistics = new StatisticsPanel(element("statistics"), element("latency"));
const legend = new Legend(element("legend"));
const controls = new Controls(element("nodes"), element("refusal"), element("controls-toggle"));

/* Where we are */

function onChange() {
  controls.read(streams.mayControl);
  showGrid();
}

function go(search) {
  history.pushState(null, "", search || location.pathname);
  show();
}

function show() {
  const stream = address().searchParams.get("stream") ?? undefined;
  const isGrid = address().searchParams.get("view") === "grid";
  stopRecording();
  viewer?.close();
  viewer = null;
  document.body.classList.toggle("in-grid", isGrid);
  element("grid-toggle").ariaPressed = String(isGrid);
  streams.mark(isGrid ? null : stream);
  document.title = stream && !isGrid ? `${stream} · picam_webrtc` : "picam_webrtc";
  showGrid();
  if (!isGrid) showStream(stream);
  statistics.watch(shown() ?? null);
  legend.watch(viewer);
}

function showStream(stream) {
  viewer = new Viewer(element("stage"), {
    stream,
    boxes: element("boxes").ariaPressed === "true",
    smooth: element("smooth").ariaPressed === "true",
  });
  viewer.addEventListener("state", ({ detail }) => showState(detail));
  viewer.addEventListener("classes", ({ detail }) => showWhoDraws(detail.drawn));
  showWhoDraws(false);
  viewer.start();
}

function showGrid() {
  for (const tile of tiles) tile.close();
  tiles = [];
  const isGrid = document.body.classList.contains("in-grid");
  element("grid").hidden = !isGrid;
  element("grid").replaceChildren(...(isGrid ? streams.names.map(makeTile) : []));
}

function makeTile(name) {
  const picture = Object.assign(document.createElement("div"), { className: "picture" });
  const link = Object.assign(document.createElement("a"), { href: streams.addressOf(name), className: "tile" });
  const label = Object.assign(document.createElement("span"), { className: "name", textContent: name });
  link.append(picture, label);
  link.addEventListener("click", (event) => streams.follow(event, name));
  const item = document.createElement("li");
  item.append(link);
  const tile = new Viewer(picture, { stream: name });
  tile.addEventListener("state", ({ detail }) => {
    link.dataset.state = detail.state;
    if (tiles[0] === tile) showState(detail);
  });
  tiles.push(tile);
  tile.start();
  return item;
}

function showState({ state, words, problem, message }) {
  document.body.dataset.state = state;
  element("words").textContent = words;
  element("detail").textContent = state === ViewerState.REFUSED ? message : "";
  element("token-form").hidden = problem !== NOT_ALLOWED;
}

function showWhoDraws(drawn) {
  const button = element("boxes");
  button.disabled = drawn;
  button.title = drawn ? "The robot draws the detections itself (parameter overlay)" : "Detections (b)";
}

/* What a person can do */

const shown = () => viewer ?? tiles[0];
const nameShown = () => address().searchParams.get("stream") ?? streams.names[0] ?? "picture";

function toggleGrid() {
  const target = address();
  if (target.searchParams.get("view") === "grid") target.searchParams.delete("view");
  else target.searchParams.set("view", "grid");
  go(target.search);
}

function toggleBoxes() {
  const enabled = flip(element("boxes"));
  for (const one of viewer ? [viewer] : tiles) one.boxes.enabled = enabled;
  legend.enabled = enabled;
}

function toggleSmooth() {
  const smooth = flip(element("smooth"));
  for (const one of viewer ? [viewer] : tiles) one.smooth = smooth;
  note(smooth ? "Smooth: the browser may delay pictures" : "Lowest latency");
}

async function savePicture() {
  const boxes = element("boxes").ariaPressed === "true";
  const picture = await shown().snapshot({ boxes });
  save(picture, fileName(nameShown()));
  note("Picture saved");
}

function toggleRecording() {
  if (recorder) {
    stopRecording();
    return;
  }
  const stream = shown()?.video.srcObject;
  if (!stream) return;
  recorder = new FilmRecorder(stream);
  recorder.start();
  element("record").ariaPressed = "true";
  note("Recording");
}

async function stopRecording() {
  const finished = recorder;
  recorder = null;
  element("record").ariaPressed = "false";
  if (!finished) return;
  save(await finished.stop(), fileName(nameShown()));
  note("Recording saved");
}

async function toggleFullScreen() {
  if (document.fullscreenElement) await document.exitFullscreen();
  else await document.documentElement.requestFullscreen();
}

async function togglePictureInPicture() {
  if (document.pictureInPictureElement) await document.exitPictureInPicture();
  else await shown().video.requestPictureInPicture();
}

function togglePanel(name) {
  for (const other of ["statistics", "controls"]) {
    const opens = other === name && element(other).hidden;
    element(other).hidden = !opens;
    element(`${other}-toggle`).ariaExpanded = String(opens);
  }
  document.body.classList.toggle("with-panel", !element(name).hidden);
  statistics.enabled = !element("statistics").hidden;
}

async function useToken(event) {
  event.preventDefault();
  const token = element("token").value.trim();
  // The server takes the token out of the address and answers with a cookie.
  const response = await fetch(`?${new URLSearchParams({ token })}`).catch(() => null);
  element("token").value = "";
  if (!response?.ok) {
    element("token").placeholder = "that was not it";
    return;
  }
  await streams.read();
  show();
}

function note(text) {
  clearTimeout(noteTimer);
  element("note").textContent = text;
  noteTimer = setTimeout(() => (element("note").textContent = ""), NOTE_S * 1000);
}

function flip(button) {
  const pressed = button.ariaPressed !== "true";
  button.ariaPressed = String(pressed);
  return pressed;
}

/* Buttons and keys */

const ACTIONS = Object.freeze({
  boxes: toggleBoxes,
  snapshot: savePicture,
  record: toggleRecording,
  smooth: toggleSmooth,
  "statistics-toggle": () => togglePanel("statistics"),
  "controls-toggle": () => togglePanel("controls"),
  "grid-toggle": toggleGrid,
  "picture-in-picture": togglePictureInPicture,
  "full-screen": toggleFullScreen,
});

function onKey(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.matches("input, select, textarea")) return;
  if (event.key === "Escape") return closePanels();
  const button = [...document.querySelectorAll("[aria-keyshortcuts]")].find(
    (one) => one.getAttribute("aria-keyshortcuts") === event.key && !one.hidden,
  );
  if (button) button.click();
  else if (/^[1-9]$/.test(event.key) && streams.names[event.key - 1]) go(streams.addressOf(streams.names[event.key - 1]));
}

function closePanels() {
  for (const name of ["statistics", "controls"]) if (!element(name).hidden) togglePanel(name);
}

/** A token that is still in the address must not stay in the history, in screenshots or in shared links. */
function forgetToken() {
  const target = address();
  if (!target.searchParams.has("token")) return;
  target.searchParams.delete("token");
  history.replaceState(null, "", `${target.pathname}${target.search}`);
}

/** Bar and tools leave a live picture alone when nobody moves. */
function watchRest() {
  let timer = 0;
  const wake = () => {
    clearTimeout(timer);
    document.body.classList.remove("resting");
    timer = setTimeout(() => document.body.classList.add("resting"), REST_AFTER_S * 1000);
  };
  for (const kind of ["pointermove", "pointerdown", "keydown"]) addEventListener(kind, wake);
  wake();
}

forgetToken();
watchRest();
document.body.classList.toggle("embed", address().searchParams.has("embed"));
element("picture-in-picture").hidden = !document.pictureInPictureEnabled;
element("full-screen").hidden = !document.fullscreenEnabled;
element("record").hidden = !canRecord();
element("token-form").addEventListener("submit", useToken);
element("latency").addEventListener("click", () => togglePanel("statistics"));
for (const [id, action] of Object.entries(ACTIONS)) element(id).addEventListener("click", action);
addEventListener("keydown", onKey);
addEventListener("popstate", show);
streams.start();
show();
