/** The stand-alone use of viewer.js, as its documentation shows it; `viewer` is global for the test. */
import { Viewer } from "./viewer.js";

const stream = new URL(location.href).searchParams.get("stream") ?? "processed";
globalThis.viewer = new Viewer(document.getElementById("front"), { stream });
globalThis.states = [];
viewer.addEventListener("state", ({ detail }) => states.push(detail.state));
viewer.start();
