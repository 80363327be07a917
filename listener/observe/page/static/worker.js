// Holds the stream for every tab of this browser: it may open six connections to an address, no more.
import { follow } from "./stream.js";

const ports = new Set();
const newest = new Map();  // of each kind that a tab which comes later must know
let stop = null;

function tell(message) {
  if (message[0] === "now") newest.set("now", message);
  if (message[0] === "open" || message[0] === "lost") newest.set("link", message);
  for (const port of ports) port.postMessage(message);
}

self.onconnect = (e) => {
  const port = e.ports[0];
  ports.add(port);
  for (const message of newest.values()) port.postMessage(message);
  port.onmessage = () => {
    ports.delete(port);
    if (ports.size === 0 && stop) { stop(); stop = null; newest.clear(); }
  };
  stop ??= follow(tell);
};
