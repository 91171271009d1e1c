/** The viewer page: which stream is shown, how, and what its buttons do. */

import { Viewer, ViewerState } from "./viewer.js";

/** How often the list of streams is read again: streams may come and go. */
const LIST_INTERVAL_S = 10;
const REST_AFTER_S = 4;
const NOT_ALLOWED = "not-allowed";

const address = new URL(location.href);
const element = (id) => document.getElementById(id);
const stage = element("stage");
const streamList = element("streams");

/** @type {Viewer | null} */
let viewer = null;
/** @type {string[]} */
let names = [];

const currentStream = () => address.searchParams.get("stream") ?? names[0];

function show(stream) {
  viewer?.close();
  viewer = new Viewer(stage, { stream });
  viewer.addEventListener("state", ({ detail }) => {
    document.body.dataset.state = detail.state;
    element("words").textContent = detail.words;
    element("detail").textContent = detail.state === ViewerState.REFUSED ? detail.message : "";
    element("token-form").hidden = detail.problem !== NOT_ALLOWED;
  });
  viewer.start();
  document.title = stream ? `${stream} · picam_webrtc` : "picam_webrtc";
}

function addressOf(stream) {
  const target = new URL(address);
  target.searchParams.set("stream", stream);
  return `${target.pathname}${target.search}`;
}

function listStreams() {
  const items = names.map((name) => {
    const link = Object.assign(document.createElement("a"), { href: addressOf(name), textContent: name });
    link.addEventListener("click", (event) => follow(event, name));
    const item = document.createElement("li");
    item.append(link);
    return item;
  });
  streamList.replaceChildren(...items);
  markCurrent();
}

function markCurrent() {
  for (const link of streamList.querySelectorAll("a"))
    link.ariaCurrent = link.textContent === currentStream() ? "page" : null;
}

function follow(event, name) {
  if (event.metaKey || event.ctrlKey || event.shiftKey) return; // the browser's own "open elsewhere"
  event.preventDefault();
  if (name === currentStream()) return;
  history.pushState(null, "", addressOf(name));
  readAddress();
}

function readAddress() {
  address.href = location.href;
  markCurrent();
  show(address.searchParams.get("stream") ?? undefined);
}

async function readStreams() {
  try {
    const response = await fetch("streams", { headers: { Accept: "application/json" } });
    if (!response.ok) return;
    const { streams } = await response.json();
    const listed = streams.map(({ name }) => name);
    if (listed.join("/") === names.join("/")) return;
    names = listed;
    listStreams();
  } catch {
    // The viewer itself says that the robot does not answer; the list stays as it was.
  }
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
  await readStreams();
  readAddress();
}

async function toggleFullScreen() {
  if (document.fullscreenElement) await document.exitFullscreen();
  else await document.documentElement.requestFullscreen();
}

/** A token that is still in the address must not stay in the history, in screenshots or in shared links. */
function forgetToken() {
  if (!address.searchParams.has("token")) return;
  address.searchParams.delete("token");
  history.replaceState(null, "", `${address.pathname}${address.search}`);
}

/** The bar leaves a live picture alone when nobody moves. */
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
document.body.classList.toggle("embed", address.searchParams.has("embed"));
element("full-screen").addEventListener("click", toggleFullScreen);
element("token-form").addEventListener("submit", useToken);
addEventListener("popstate", readAddress);
addEventListener("keydown", (event) => {
  if (event.target instanceof HTMLInputElement || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === "f") toggleFullScreen();
});
readStreams();
readAddress();
setInterval(() => document.hidden || readStreams(), LIST_INTERVAL_S * 1000);
