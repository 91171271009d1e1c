/**
 * The three small texts of WebRTC signalling over HTTP: trickled candidates, Link headers, Retry-After.
 * No state and no I/O: everything here is a function from text to values.
 */

/**
 * An SDP fragment that carries candidates to the server (RFC 8840, section 9).
 *
 * @param {string} description our local SDP, which holds the ICE credentials and the first media section
 * @param {(RTCIceCandidate | null)[]} candidates null stands for the end of the candidates
 * @returns {string}
 */
export function candidateFragment(description, candidates) {
  const firstMatch = (pattern) => description.match(pattern)?.[0];
  const ended = candidates.includes(null);
  const lines = [
    firstMatch(/^a=ice-ufrag:.+$/m),
    firstMatch(/^a=ice-pwd:.+$/m),
    firstMatch(/^m=.+$/m),
    firstMatch(/^a=mid:.+$/m),
    ...candidates.filter(Boolean).map((candidate) => `a=${candidate.candidate}`),
    ended ? "a=end-of-candidates" : undefined,
  ];
  return lines.filter(Boolean).map((line) => `${line.trim()}\r\n`).join("");
}

/**
 * The STUN and TURN servers that an answer's Link header offers (draft-ietf-wish-whep, "STUN/TURN server configuration").
 *
 * @param {string | null} header several links, joined by commas as `fetch` does
 * @returns {RTCIceServer[]}
 */
export function iceServersFromLinks(header) {
  const links = (header ?? "").matchAll(/<([^>]+)>((?:\s*;\s*[\w-]+=(?:"(?:[^"\\]|\\.)*"|[^,;]*))*)/g);
  const servers = [];
  for (const [, urls, attributes] of links) {
    const values = Object.fromEntries(
      [...attributes.matchAll(/([\w-]+)=(?:"((?:[^"\\]|\\.)*)"|([^,;\s]*))/g)].map(([, name, quoted, bare]) => [
        name,
        quoted === undefined ? bare : quoted.replaceAll(/\\(.)/g, "$1"),
      ]),
    );
    if (values.rel !== "ice-server") continue;
    servers.push(values.username ? { urls, username: values.username, credential: values.credential } : { urls });
  }
  return servers;
}

/**
 * Seconds that a Retry-After header asks us to wait (RFC 9110, section 10.2.3): a number or a date.
 *
 * @param {string | null} header
 * @param {number} now milliseconds since 1970
 * @returns {number | undefined} undefined where there is no usable header
 */
export function retryAfterSeconds(header, now = Date.now()) {
  if (!header) return undefined;
  const seconds = /^\d+$/.test(header.trim()) ? Number(header) : (Date.parse(header) - now) / 1000;
  return Number.isFinite(seconds) ? Math.max(0, seconds) : undefined;
}
